import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { IconUsers } from '@tabler/icons-react';
import { getRouteApi, Link, Outlet, useMatchRoute, useNavigate } from '@tanstack/react-router';
import type { Member } from '@/api/types';
import { EmptyState, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { ChoiceFilter, FilterBar } from '@/components/FilterBar';
import { StatusBadge } from '@/components/status';
import { memberStates, type MemberState } from '@/features/team/filter';
import { nameOf, PersonName } from '@/features/team/pieces';
import { peopleQuery, teamsQuery } from '@/features/team/queries';
import { ReachText } from '@/features/team/Reach';
import { useRoleName } from '@/features/team/roles';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/team/people');

export default function People() {
    const t = useT();
    const navigate = useNavigate();
    const filter = route.useSearch();
    const list = useInfiniteQuery(peopleQuery(filter.state));
    const teams = useQuery(teamsQuery);
    const roleName = useRoleName();
    const open = useMatchRoute()({ to: '/team/people/$membershipId' });
    const teamNames = new Map((teams.data ?? []).map((team) => [team.id, team.name]));
    const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
    const columns: Column<Member>[] = [
        { id: 'name', title: t('team.name'), cell: (member) => <PersonName member={member}><Link to="/team/people/$membershipId" params={{ membershipId: member.id }} search={filter} className="row-link cut" resetScroll={false}>{nameOf(member, t('team.nameless'))}</Link></PersonName> },
        { id: 'role', title: t('team.role'), cell: (member) => roleName(member.role_name) },
        { id: 'state', title: t('messages.status'), cell: (member) => <StatusBadge state={member.state === 'active' ? 'working' : member.state} /> },
        { id: 'email', title: t('team.email'), cell: (member) => member.email ?? <span className="quiet">–</span>, isMinor: true },
        { id: 'reach', title: t('team.reach'), cell: (member) => <ReachText of={member} />, isMinor: true },
        { id: 'teams', title: t('team.teams'), cell: (member) => member.teams.length === 0 ? <span className="quiet">–</span> : member.teams.map((id) => teamNames.get(id) ?? '…').join(', '), isMinor: true },
        { id: 'keys', title: t('nav.keys'), cell: (member) => member.api_keys === 0 ? <span className="quiet">–</span> : member.api_keys, isMinor: true, isEnd: true },
        { id: 'joined', title: t('team.joined'), cell: (member) => <When at={member.joined_at} />, isMinor: true, isHidden: true },
        { id: 'seen', title: t('team.seen'), cell: (member) => <When at={member.last_seen_at} none={t('team.seen.never')} />, isEnd: true },
    ];
    return (
        <>
            <FilterBar isOn={filter.state !== undefined} onClear={() => { void navigate({ to: '/team/people', search: {}, replace: true }); }}>
                <ChoiceFilter title={t('messages.status')} value={filter.state === undefined ? [] : [filter.state]} options={memberStates.map((value) => ({ value, label: <StatusBadge state={value === 'active' ? 'working' : value} /> }))} onChange={([state]) => { void navigate({ to: '/team/people', search: state === undefined ? {} : { state: state as MemberState }, replace: true }); }} />
            </FilterBar>
            {list.isPending ? <RowsSkeleton count={6} />
                : list.isError && rows.length === 0 ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : rows.length === 0 ? <EmptyState icon={IconUsers} title={t('team.people.none')} text={t('team.people.none.text')} />
                : <DataTable name="people" label={t('team.people')} columns={columns} rows={rows} rowId={(member) => member.id} chosen={open === false ? undefined : open.membershipId}
                    onOpen={(member) => { void navigate({ to: '/team/people/$membershipId', params: { membershipId: member.id }, search: filter, resetScroll: false }); }}
                    hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />}
            <Outlet />
        </>
    );
}
