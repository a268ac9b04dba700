import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconPlus, IconUsersGroup } from '@tabler/icons-react';
import { Link, Outlet, useMatchRoute, useNavigate } from '@tanstack/react-router';
import type { Team } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { nameOf } from '@/features/team/pieces';
import { everybodyQuery, teamsQuery } from '@/features/team/queries';
import { useChannelNames } from '@/features/team/Reach';
import { useT } from '@/i18n/i18n';

export default function Teams() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const list = useQuery(teamsQuery);
    const everybody = useQuery(everybodyQuery);
    const channelNames = useChannelNames();
    const open = useMatchRoute()({ to: '/team/teams/$teamId' });
    const names = new Map((everybody.data ?? []).map((member) => [member.id, nameOf(member, t('team.nameless'))]));
    const rows = list.data ?? [];
    const create = may('people:manage') ? <Button variant="default" leftSection={<IconPlus size={16} />} onClick={() => { void navigate({ to: '/team/teams/$teamId', params: { teamId: 'new' } }); }}>{t('team.teams.create')}</Button> : null;
    const listed = (all: string[]) => all.length === 0 ? <span className="quiet">–</span> : all.length <= 3 ? all.join(', ') : `${all.slice(0, 2).join(', ')} ${t('team.more', { count: all.length - 2 })}`;
    const columns: Column<Team>[] = [
        { id: 'name', title: t('team.name'), cell: (team) => <Link to="/team/teams/$teamId" params={{ teamId: team.id }} className="row-link" resetScroll={false}>{team.name}</Link> },
        { id: 'members', title: t('team.members'), cell: (team) => listed(team.members.map((id) => names.get(id) ?? '…')) },
        { id: 'channels', title: t('nav.channels'), cell: (team) => listed(team.channels.map(channelNames.name)) },
        { id: 'updated', title: t('updated'), cell: (team) => <When at={team.updated_at} />, isEnd: true, isMinor: true },
    ];
    return (
        <>
            {list.isPending ? <RowsSkeleton count={4} />
                : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : rows.length === 0 ? <EmptyState icon={IconUsersGroup} title={t('team.teams.empty')} text={t('team.teams.empty.text')}>{create}</EmptyState>
                : <>
                    <div className="line" style={{ justifyContent: 'flex-end', marginBottom: 12 }}>{create}</div>
                    <DataTable name="teams" label={t('team.teams')} columns={columns} rows={rows} rowId={(team) => team.id} chosen={open === false ? undefined : open.teamId} onOpen={(team) => { void navigate({ to: '/team/teams/$teamId', params: { teamId: team.id }, resetScroll: false }); }} />
                </>}
            <Outlet />
        </>
    );
}
