import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { ApiError } from '@/api/problem';

export const meQuery = queryOptions({ queryKey: keys.me.person, queryFn: () => unwrap(api.GET('/v1/me')) });
export const passkeysQuery = queryOptions({ queryKey: keys.me.passkeys, queryFn: () => unwrap(api.GET('/v1/me/passkeys')) });
export const sessionsQuery = queryOptions({ queryKey: keys.me.sessions, queryFn: () => unwrap(api.GET('/v1/me/sessions')) });
export const recoveryCodesQuery = queryOptions({ queryKey: keys.me.recoveryCodes, queryFn: () => unwrap(api.GET('/v1/me/recovery-codes')) });
export const identitiesQuery = queryOptions({ queryKey: keys.me.identities, queryFn: () => unwrap(api.GET('/v1/me/identities')) });
export const providersQuery = queryOptions({ queryKey: keys.me.providers, queryFn: () => unwrap(api.GET('/v1/session/providers')), staleTime: 300_000 });
/** null: the person has no authenticator application. */
export const totpQuery = queryOptions({
    queryKey: keys.me.totp,
    queryFn: async () => {
        try {
            return await unwrap(api.GET('/v1/me/totp'));
        } catch (error) {
            if (error instanceof ApiError && error.status === 404)
                return null;
            throw error;
        }
    },
});
