import type { WebhookEndpoint } from '@/api/types';

/** As people see it: one that fails is enabled, and not well. */
export function endpointState(endpoint: Pick<WebhookEndpoint, 'state' | 'failing_since'>): 'enabled' | 'disabled' | 'failing' {
    if (endpoint.state === 'disabled')
        return 'disabled';
    return endpoint.failing_since === null ? 'enabled' : 'failing';
}
