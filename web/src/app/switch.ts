import { useMutation, useQueryClient, type UseMutationResult } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { api, changingToken, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { Session } from '@/api/session';

/** Works in another workspace from now on: what was read of the one before is forgotten. */
export function useSwitch(): UseMutationResult<Session, Error, string> {
    const client = useQueryClient();
    const navigate = useNavigate();
    return useMutation({
        mutationFn: (id: string) => changingToken(unwrap(api.POST('/v1/session/workspace', { body: { tenant_id: id } }))),
        onSuccess: async (session) => {
            client.removeQueries({ predicate: (query) => query.queryKey[0] !== keys.session[0] });
            client.setQueryData(keys.session, session);
            await navigate({ to: '/' });
        },
    });
}
