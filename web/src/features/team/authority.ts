import type { Role } from '@/api/types';

/** What whoever looks may hand out; the server decides, this says beforehand what it will say. */
export interface Authority { permissions: readonly string[]; isOwner: boolean }

/** Nobody gives a permission that he lacks or touches somebody who has more, and only owners make and unmake owners. */
export function covers(authority: Authority, role: Pick<Role, 'id' | 'permissions'>): boolean {
    return (role.id !== 'owner' || authority.isOwner) && role.permissions.every((permission) => authority.permissions.includes(permission));
}

const groupsOf: Record<string, string> = {
    messages: 'messages', media: 'messages', contact: 'messages', channels: 'channels', templates: 'channels', webhooks: 'developers', keys: 'developers',
    people: 'people', roles: 'people', settings: 'workspace', usage: 'workspace', audit: 'workspace',
};
export const permissionGroups = ['messages', 'channels', 'developers', 'people', 'workspace'] as const;

/** Permissions by what they are about, in the order in which they were given. One that is not known yet is the workspace's. */
export function groupPermissions<T extends string>(permissions: readonly T[]): { group: typeof permissionGroups[number]; permissions: T[] }[] {
    return permissionGroups.map((group) => ({ group, permissions: permissions.filter((permission) => (groupsOf[permission.split(/[:.]/)[0] ?? ''] ?? 'workspace') === group) }))
        .filter((each) => each.permissions.length !== 0);
}

/** Of what a role gives, that which nobody has who is limited to channels. */
export function lostByLimit(permissions: readonly string[], all: readonly { permission: string; is_whole_workspace: boolean }[]): string[] {
    return all.filter((each) => each.is_whole_workspace && permissions.includes(each.permission)).map((each) => each.permission);
}

/** What has to be put in and taken out, so that one list becomes the other. */
export function differences(before: readonly string[], after: readonly string[]): { added: string[]; removed: string[] } {
    return { added: after.filter((each) => !before.includes(each)), removed: before.filter((each) => !after.includes(each)) };
}

const IDLE_DAYS = 60;

/** Nobody has seen them for two months: a reason to ask whether the access is still needed. */
export function isIdle(lastSeen: string | null, now: number): boolean {
    return lastSeen === null || now - Date.parse(lastSeen) > IDLE_DAYS * 86_400_000;
}
