import type { Scope } from '@/api/types';
import type { Word } from '@/i18n/i18n';

/** What a key may be allowed, in the order of what people ask for, in plain words. */
export const scopeWords = {
    'messages:send': 'scope.messages:send',
    'messages:read': 'scope.messages:read',
    'messages:export': 'scope.messages:export',
    'channels:read': 'scope.channels:read',
    'channels:manage': 'scope.channels:manage',
    'templates:read': 'scope.templates:read',
    'templates:manage': 'scope.templates:manage',
    'webhooks:read': 'scope.webhooks:read',
    'webhooks:manage': 'scope.webhooks:manage',
    'media:read': 'scope.media:read',
    'media:write': 'scope.media:write',
    'usage:read': 'scope.usage:read',
    'settings:read': 'scope.settings:read',
    'settings:manage': 'scope.settings:manage',
    'keys:manage': 'scope.keys:manage',
    'people:read': 'scope.people:read',
    'people:manage': 'scope.people:manage',
    'roles:manage': 'scope.roles:manage',
    'audit:read': 'scope.audit:read',
    'audit:export': 'scope.audit:export',
    'dlt:read': 'scope.dlt:read',
    'dlt:manage': 'scope.dlt:manage',
    'consents:read': 'scope.consents:read',
    'consents:manage': 'scope.consents:manage',
    'contact.identity.reveal': 'scope.contact.identity.reveal',
} as const satisfies Partial<Record<Scope, Word>>;
