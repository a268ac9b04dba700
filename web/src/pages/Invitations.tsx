import { ActionIcon, Button, Menu } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconBan, IconDots, IconLink, IconMail } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { Invitation } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { StatusBadge } from '@/components/status';
import { say } from '@/components/undo';
import { covers } from '@/features/team/authority';
import { Doer, LinkOnce } from '@/features/team/pieces';
import { invitationsQuery, rolesQuery } from '@/features/team/queries';
import { ReachText } from '@/features/team/Reach';
import { useAuthority, useRoleName } from '@/features/team/roles';
import { useT } from '@/i18n/i18n';

export default function Invitations() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const client = useQueryClient();
    const authority = useAuthority();
    const roleName = useRoleName();
    const list = useInfiniteQuery(invitationsQuery);
    const roles = useQuery(rolesQuery);
    const again = () => client.invalidateQueries({ queryKey: keys.team.invitations });
    const resend = useMutation({ mutationFn: (id: string) => unwrap(api.POST('/v1/invitations/{invitation_id}/resend', { params: { path: { invitation_id: id } } })), onSettled: again });
    const revoke = useMutation({
        mutationFn: (id: string) => unwrap(api.POST('/v1/invitations/{invitation_id}/revoke', { params: { path: { invitation_id: id } } })),
        onSuccess: (invitation) => { say(t('team.invitation.revoked', { email: invitation.email })); }, onSettled: again,
    });
    const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
    const isWithin = (invitation: Invitation) => { const role = roles.data?.find((each) => each.id === invitation.role); return role === undefined || covers(authority, role); };
    const columns: Column<Invitation>[] = [
        { id: 'email', title: t('team.email'), cell: (invitation) => <span style={{ fontWeight: 540 }}>{invitation.email}</span> },
        { id: 'state', title: t('messages.status'), cell: (invitation) => <StatusBadge state={invitation.state === 'accepted' ? 'joined' : invitation.state} /> },
        { id: 'role', title: t('team.role'), cell: (invitation) => roleName(invitation.role_name) },
        { id: 'reach', title: t('team.reach'), cell: (invitation) => <ReachText of={invitation} />, isMinor: true },
        { id: 'by', title: t('team.invited_by'), cell: (invitation) => <Doer by={invitation.invited_by} />, isMinor: true },
        { id: 'sent', title: t('team.invited'), cell: (invitation) => <><When at={invitation.created_at} />{invitation.sent_count > 1 && <span className="quiet"> {t('team.sent_count', { count: invitation.sent_count })}</span>}</>, isMinor: true },
        { id: 'expires', title: t('keys.expires'), cell: (invitation) => invitation.state === 'pending' || invitation.state === 'expired' ? <When at={invitation.expires_at} /> : <span className="quiet">–</span> },
        { id: 'acts', title: t('acts'), isEnd: true, cell: (invitation) => invitation.state !== 'pending' && invitation.state !== 'expired' ? null : (
            <Menu position="bottom-end">
                <Menu.Target><ActionIcon variant="subtle" color="gray" disabled={!may('people:manage')} aria-label={t('acts.of', { name: invitation.email })}><IconDots size={16} /></ActionIcon></Menu.Target>
                <Menu.Dropdown>
                    <Menu.Item leftSection={<IconLink size={15} aria-hidden />} disabled={!isWithin(invitation)} onClick={() => { resend.mutate(invitation.id); }}>{t(invitation.delivery === 'mail' ? 'team.resend.mail' : 'team.resend')}</Menu.Item>
                    {invitation.state === 'pending' && <Menu.Item color="red" leftSection={<IconBan size={15} aria-hidden />} onClick={() => { revoke.mutate(invitation.id); }}>{t('team.revoke_invitation')}</Menu.Item>}
                </Menu.Dropdown>
            </Menu>) },
    ];
    return (
        <>
            {(resend.error ?? revoke.error) !== null && <div style={{ marginBottom: 16 }}><Problem error={resend.error ?? revoke.error} /></div>}
            {list.isPending ? <RowsSkeleton count={5} />
                : list.isError && rows.length === 0 ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : rows.length === 0 ? <EmptyState icon={IconMail} title={t('team.invitations.empty')} text={t('team.invitations.empty.text')}>{may('people:manage') && <Button onClick={() => { void navigate({ to: '/team/invite' }); }}>{t('team.invite')}</Button>}</EmptyState>
                : <DataTable name="invitations" label={t('team.invitations')} columns={columns} rows={rows} rowId={(invitation) => invitation.id} hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />}
            <LinkOnce invitation={resend.data ?? null} onDone={() => { resend.reset(); }} />
        </>
    );
}
