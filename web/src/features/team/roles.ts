import type { Role, Scope } from '@/api/types';
import { scopeWords } from '@/features/keys/scopes';
import { useT, type Word } from '@/i18n/i18n';
import { useSession } from '@/app/session';
import type { Authority } from './authority';

const builtIn: Record<string, [Word, Word]> = {
    owner: ['role.owner', 'team.role.owner'], admin: ['role.admin', 'team.role.admin'], manager: ['role.manager', 'team.role.manager'], developer: ['role.developer', 'team.role.developer'],
    marketer: ['role.marketer', 'team.role.marketer'], agent: ['role.agent', 'team.role.agent'], billing: ['role.billing', 'team.role.billing'], auditor: ['role.auditor', 'team.role.auditor'],
};

/** A built-in role's name in the person's language; another is called as the workspace calls it. */
export function useRoleName(): (name: string) => string {
    const t = useT();
    return (name) => { const words = builtIn[name]; return words === undefined ? name : t(words[0]); };
}

export function useRolePurpose(): (role: Role) => string {
    const t = useT();
    return (role) => { const words = builtIn[role.id]; return words === undefined ? role.description : t(words[1]); };
}

export function usePermissionName(): (permission: string) => string {
    const t = useT();
    return (permission) => { const word = (scopeWords as Partial<Record<string, Word>>)[permission as Scope]; return word === undefined ? permission : t(word); };
}

export function useAuthority(): Authority {
    const { permissions, workspace } = useSession();
    return { permissions, isOwner: workspace?.role === 'owner' };
}
