import { Checkbox } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconCheck, IconMinus } from '@tabler/icons-react';
import { useT } from '@/i18n/i18n';
import { groupPermissions } from './authority';
import { permissionsQuery } from './queries';
import { useAuthority, usePermissionName } from './roles';

/** What a role allows, said in words and by a sign for each permission that there is. */
export function PermissionList({ has }: { has: readonly string[] }) {
    const t = useT();
    const all = useQuery(permissionsQuery);
    const name = usePermissionName();
    return (
        <div className="stack">
            {groupPermissions((all.data ?? []).map((each) => each.permission)).map(({ group, permissions }) => (
                <section key={group} role="group" aria-label={t(`team.group.${group}`)}>
                    <p className="group-title" aria-hidden>{t(`team.group.${group}`)}</p>
                    <ul className="permissions">
                        {permissions.map((permission) => {
                            const isOn = has.includes(permission);
                            return <li key={permission} data-on={isOn}>{isOn ? <IconCheck size={15} aria-label={t('team.allowed')} /> : <IconMinus size={15} aria-label={t('team.not_allowed')} />}<span>{name(permission)}</span></li>;
                        })}
                    </ul>
                </section>
            ))}
        </div>
    );
}

/** The same, to be chosen. What one lacks oneself cannot be given. */
export function PermissionChoices({ value, onChange, error, isDisabled = false }: { value: string[]; onChange: (value: string[]) => void; error?: string | undefined; isDisabled?: boolean }) {
    const t = useT();
    const all = useQuery(permissionsQuery);
    const name = usePermissionName();
    const { permissions: mine } = useAuthority();
    const wide = new Set((all.data ?? []).filter((each) => each.is_whole_workspace).map((each) => each.permission as string));
    return (
        <Checkbox.Group label={t('team.permissions')} description={t('team.permissions.help')} value={value} onChange={onChange} error={error}>
            <div className="stack" style={{ marginTop: 12 }}>
                {groupPermissions((all.data ?? []).map((each) => each.permission as string)).map(({ group, permissions }) => (
                    <section key={group} role="group" aria-label={t(`team.group.${group}`)}>
                        <p className="group-title" aria-hidden>{t(`team.group.${group}`)}</p>
                        <div className="choices">
                            {permissions.map((permission) => {
                                const isMine = mine.includes(permission);
                                return <Checkbox key={permission} value={permission} disabled={isDisabled || !isMine} label={name(permission)} description={!isMine ? t('keys.scopes.not_yours') : wide.has(permission) ? t('team.permission.whole') : undefined} />;
                            })}
                        </div>
                    </section>
                ))}
            </div>
        </Checkbox.Group>
    );
}
