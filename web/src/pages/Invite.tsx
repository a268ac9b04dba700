import { Button, Select, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconLock } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { faultsByField } from '@/api/problem';
import { useMay } from '@/app/session';
import { EmptyState, Page, Problem } from '@/components/basics';
import { covers } from '@/features/team/authority';
import { LinkOnce } from '@/features/team/pieces';
import { PermissionList } from '@/features/team/Permissions';
import { rolesQuery } from '@/features/team/queries';
import { ReachFields, type Reach } from '@/features/team/Reach';
import { useAuthority, useRoleName, useRolePurpose } from '@/features/team/roles';
import { useT } from '@/i18n/i18n';

export default function Invite() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const client = useQueryClient();
    const authority = useAuthority();
    const roleName = useRoleName();
    const purpose = useRolePurpose();
    const roles = useQuery({ ...rolesQuery, enabled: may('people:manage') });
    const [email, setEmail] = useState('');
    const [roleId, setRole] = useState('agent');
    const [reach, setReach] = useState<Reach>({ scope: 'all', channels: [], teams: [] });
    const [asked, setAsked] = useState(false);
    const invite = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/invitations', { body: { email: email.trim(), role: roleId, scope: reach.scope, ...(reach.scope === 'channels' ? { channels: reach.channels } : {}), ...(reach.teams.length === 0 ? {} : { teams: reach.teams }) } })),
        onSuccess: () => client.invalidateQueries({ queryKey: keys.team.invitations }),
    });
    const back = { to: '/team/invitations', word: t('team.invitations') };
    if (!may('people:manage'))
        return <Page title={t('team.invite')} back={back}><EmptyState icon={IconLock} title={t('problem.forbidden')} text={t('problem.forbidden.text')} /></Page>;
    const role = roles.data?.find((each) => each.id === roleId);
    const faults = faultsByField(invite.error);
    const isAddress = /^[^\s@]+@[^\s@]+$/.test(email.trim());
    const emailFault = asked && !isAddress ? t('team.email.missing') : faults['/email'];
    return (
        <Page title={t('team.invite')} purpose={t('team.invite.purpose')} back={back}>
            <form className="form" noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (isAddress) invite.mutate(); }}>
                {invite.isError && <Problem error={invite.error} />}
                {roles.isError && <Problem error={roles.error} retry={() => { void roles.refetch(); }} />}
                <TextInput label={t('team.email')} description={t('team.email.help')} type="email" autoComplete="off" maxLength={254} value={email} onChange={(event) => { setEmail(event.currentTarget.value); }} error={emailFault} required withAsterisk={false} />
                <Select label={t('team.role')} description={role === undefined ? undefined : purpose(role)} allowDeselect={false} value={roleId} error={faults['/role']} onChange={(value) => { setRole(value ?? 'agent'); }} searchable={(roles.data?.length ?? 0) > 12}
                    data={(roles.data ?? []).map((each) => ({ value: each.id, label: roleName(each.name), disabled: !covers(authority, each) }))} />
                {role !== undefined && <details className="more"><summary>{t('team.role.may', { count: role.permissions.length })}</summary><div style={{ marginTop: 12 }}><PermissionList has={role.permissions} /></div></details>}
                <ReachFields value={reach} onChange={setReach} permissions={role?.permissions ?? []} faults={faults} />
                <div className="line"><Button type="submit" loading={invite.isPending}>{t('team.invite.make')}</Button><Button variant="subtle" color="gray" onClick={() => { void navigate({ to: '/team/invitations' }); }}>{t('cancel')}</Button></div>
            </form>
            <LinkOnce invitation={invite.data ?? null} onDone={() => { void navigate({ to: '/team/invitations' }); }} />
        </Page>
    );
}
