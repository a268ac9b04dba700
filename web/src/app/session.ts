import { useSuspenseQuery } from '@tanstack/react-query';
import { sessionQuery, type Session } from '@/api/session';

/** Inside the shell there always is one. */
export function useSession(): Session {
    return useSuspenseQuery(sessionQuery).data;
}

export function useMay(): (permission: string) => boolean {
    const { permissions } = useSession();
    return (permission) => (permissions as string[]).includes(permission);
}
