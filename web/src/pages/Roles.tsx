import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconPlus } from '@tabler/icons-react';
import { Link, Outlet, useMatchRoute, useNavigate } from '@tanstack/react-router';
import type { Role } from '@/api/types';
import { useMay } from '@/app/session';
import { Problem, RowsSkeleton } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { rolesQuery } from '@/features/team/queries';
import { useRoleName, useRolePurpose } from '@/features/team/roles';
import { useT } from '@/i18n/i18n';

export default function Roles() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const list = useQuery(rolesQuery);
    const roleName = useRoleName();
    const purpose = useRolePurpose();
    const open = useMatchRoute()({ to: '/team/roles/$roleId' });
    const columns: Column<Role>[] = [
        { id: 'name', title: t('team.name'), cell: (role) => <Link to="/team/roles/$roleId" params={{ roleId: role.id }} className="row-link" resetScroll={false}>{roleName(role.name)}</Link> },
        { id: 'kind', title: t('team.role.kind'), cell: (role) => <span className="quiet">{t(role.is_built_in ? 'team.role.built_in' : 'team.role.own')}</span> },
        { id: 'purpose', title: t('team.role.purpose'), cell: (role) => purpose(role) === '' ? <span className="quiet">–</span> : purpose(role), isMinor: true },
        { id: 'permissions', title: t('team.permissions'), cell: (role) => t('keys.scopes.count', { count: role.permissions.length }), isMinor: true },
        { id: 'members', title: t('team.members'), cell: (role) => role.members, isEnd: true },
    ];
    return (
        <>
            {list.isPending ? <RowsSkeleton count={8} />
                : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : <>
                    <div className="line" style={{ justifyContent: 'flex-end', marginBottom: 12 }}><Button variant="default" leftSection={<IconPlus size={16} />} disabled={!may('roles:manage')} title={may('roles:manage') ? undefined : t('may.not')} onClick={() => { void navigate({ to: '/team/roles/$roleId', params: { roleId: 'new' } }); }}>{t('team.roles.create')}</Button></div>
                    <DataTable name="roles" label={t('team.roles')} columns={columns} rows={list.data} rowId={(role) => role.id} chosen={open === false ? undefined : open.roleId} onOpen={(role) => { void navigate({ to: '/team/roles/$roleId', params: { roleId: role.id }, resetScroll: false }); }} />
                </>}
            <Outlet />
        </>
    );
}
