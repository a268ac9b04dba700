import { Button, Select, Skeleton } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconPlayerPause, IconPlayerPlay, IconUserOff } from '@tabler/icons-react';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { faultsByField } from '@/api/problem';
import type { Member, Role } from '@/api/types';
import { useMay, useSession } from '@/app/session';
import { Code, Facts, Problem, When } from '@/components/basics';
import { Sheet } from '@/components/Sheet';
import { StatusBadge } from '@/components/status';
import { say } from '@/components/undo';
import { covers, differences } from '@/features/team/authority';
import { AccessList, OffBoard, SignInList } from '@/features/team/OffBoard';
import { nameOf, PersonName } from '@/features/team/pieces';
import { matching, personQuery, rolesQuery, type Tagged } from '@/features/team/queries';
import { ReachFields, type Reach } from '@/features/team/Reach';
import { useAuthority, useRoleName } from '@/features/team/roles';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/team/people/$membershipId');

export default function Person() {
    const t = useT();
    const navigate = useNavigate();
    const { membershipId } = route.useParams();
    const filter = route.useSearch();
    const person = useQuery(personQuery(membershipId));
    const roles = useQuery(rolesQuery);
    const close = () => { void navigate({ to: '/team/people', search: filter, resetScroll: false }); };
    if (person.data === undefined || roles.data === undefined)
        return (
            <Sheet title={t('team.person')} label={t('team.person')} onClose={close}>
                {person.isError || roles.isError ? <Problem error={person.error ?? roles.error} retry={() => { void person.refetch(); void roles.refetch(); }} />
                    : <div role="status" aria-label={t('loading')}>{[60, 90, 75, 80, 40].map((width) => <Skeleton key={width} height={16} my={14} width={`${width}%`} />)}</div>}
            </Sheet>
        );
    const revision = person.data.tag ?? '';
    return <One key={`${membershipId} ${revision}`} person={person.data} roles={roles.data} onClose={close} />;
}

function One({ person, roles, onClose }: { person: Tagged<Member>; roles: Role[]; onClose: () => void }) {
    const t = useT();
    const may = useMay();
    const client = useQueryClient();
    const authority = useAuthority();
    const session = useSession();
    const roleName = useRoleName();
    const member = person.value;
    const [roleId, setRole] = useState<string>(member.role);
    const [reach, setReach] = useState<Reach>({ scope: member.scope, channels: member.channels, teams: member.teams });
    const [isEnding, setEnding] = useState(false);
    const path = { membership_id: member.id };
    const name = nameOf(member, t('team.nameless'));
    const again = () => client.invalidateQueries({ queryKey: keys.team.all });
    const own = roles.find((role) => role.id === member.role);
    const chosen = roles.find((role) => role.id === roleId);
    const isYou = member.person_id === session.person.id;
    const isWithin = own === undefined || covers(authority, own);
    const isMine = may('people:manage') && isWithin && member.state !== 'left';
    const { added, removed } = differences(member.teams, reach.teams);
    const isReachChanged = reach.scope !== member.scope || (reach.scope === 'channels' && (reach.channels.length !== member.channels.length || reach.channels.some((id) => !member.channels.includes(id))));
    const isRoleChanged = roleId !== member.role;
    const isChanged = isRoleChanged || isReachChanged || added.length !== 0 || removed.length !== 0;
    const save = useMutation({
        /* The member first: where the server refuses that, nothing has changed. */
        mutationFn: async () => {
            if (isRoleChanged || isReachChanged)
                await unwrap(api.PATCH('/v1/people/{membership_id}', { params: { path, header: matching(person.tag) }, body: {
                    ...(isRoleChanged ? { role: roleId } : {}), ...(isReachChanged ? { scope: reach.scope, ...(reach.scope === 'channels' ? { channels: reach.channels } : {}) } : {}),
                } }));
            for (const team of added)
                await unwrap(api.PUT('/v1/teams/{team_id}/members/{membership_id}', { params: { path: { ...path, team_id: team } } }));
            for (const team of removed)
                await unwrap(api.DELETE('/v1/teams/{team_id}/members/{membership_id}', { params: { path: { ...path, team_id: team } } }));
        },
        onSuccess: () => { say(t('team.saved', { name })); },
        onSettled: async () => { await again(); if (isYou) await client.invalidateQueries({ queryKey: keys.session }); },
    });
    const change = useMutation({
        mutationFn: (state: 'active' | 'suspended') => unwrap(api.PATCH('/v1/people/{membership_id}', { params: { path }, body: { state } })),
        onSuccess: (_, state) => { say(t(state === 'suspended' ? 'team.suspended' : 'team.resumed', { name })); return again(); },
    });
    const faults = faultsByField(save.error);
    const isSuspended = member.state === 'suspended';
    const choices = roles.map((role) => ({ value: role.id, label: roleName(role.name), disabled: role.id !== member.role && !covers(authority, role) }));
    return (
        <Sheet title={<span className="line" style={{ flexWrap: 'nowrap' }}><PersonName member={member} /><StatusBadge state={member.state === 'active' ? 'working' : member.state} /></span>} label={t('team.person')} onClose={() => { if (!isEnding) onClose(); }}
            foot={member.state === 'left' ? undefined : (
                <>
                    <Button variant="default" leftSection={isSuspended ? <IconPlayerPlay size={16} /> : <IconPlayerPause size={16} />} disabled={!isMine} loading={change.isPending} onClick={() => { change.mutate(isSuspended ? 'active' : 'suspended'); }}>{t(isSuspended ? 'team.resume' : 'team.suspend')}</Button>
                    <Button variant="default" color="red" leftSection={<IconUserOff size={16} />} disabled={!isMine} onClick={() => { setEnding(true); }} style={isMine ? { color: 'var(--st-red)' } : {}}>{t('team.offboard')}</Button>
                </>
            )}>
            <div className="stack" style={{ gap: 24 }}>
                {(save.error ?? change.error) !== null && <Problem error={save.error ?? change.error} />}
                {member.state === 'left' && <p className="note" style={{ margin: 0 }}>{t('team.left.text')} {may('people:manage') && <Link to="/team/invite">{t('team.invite')}</Link>}</p>}
                {isSuspended && <p className="note" style={{ margin: 0 }}>{t('team.suspended.text', { count: member.api_keys })}</p>}
                {may('people:manage') && !isWithin && member.state !== 'left' && <p className="note" style={{ margin: 0 }}>{t('team.beyond')}</p>}
                <Facts rows={[
                    [t('team.email'), member.email === null ? <span key="e" className="quiet">–</span> : <Code key="e" text={member.email} />],
                    ...(may('people:manage') && member.state !== 'left' ? [[t('team.access.sign_in'), <SignInList key="s" id={member.id} />] as [string, React.ReactNode]] : []),
                    [t('team.seen'), <When key="l" at={member.last_seen_at} none={t('team.seen.never')} />],
                    [t('team.joined'), <When key="j" at={member.joined_at} />],
                    ...(member.left_at === null ? [] : [[t('team.left_at'), <When key="x" at={member.left_at} />] as [string, React.ReactNode]]),
                    [t('messages.id'), <Code key="i" text={member.id} isShort />],
                ]} />
                {member.state !== 'left' && (
                    <form className="stack" onSubmit={(event) => { event.preventDefault(); save.mutate(); }}>
                        <Select label={t('team.role')} allowDeselect={false} disabled={!isMine} value={roleId} data={choices} error={faults['/role']} onChange={(value) => { setRole(value ?? member.role); }} searchable={roles.length > 12} />
                        <ReachFields value={reach} onChange={setReach} permissions={chosen?.permissions ?? []} faults={faults} isDisabled={!isMine} />
                        {isChanged && member.api_keys > 0 && isRoleChanged && <p className="note" style={{ margin: 0 }}>{t('team.keys_stay', { count: member.api_keys })}</p>}
                        {isMine && <div className="line"><Button type="submit" disabled={!isChanged} loading={save.isPending}>{t('save')}</Button>{isChanged && <Button variant="subtle" color="gray" onClick={() => { setRole(member.role); setReach({ scope: member.scope, channels: member.channels, teams: member.teams }); }}>{t('cancel')}</Button>}</div>}
                    </form>
                )}
                {may('people:manage') && member.state !== 'left' && <section><h3 style={{ margin: '0 0 6px' }}>{t('team.access')}</h3><AccessList id={member.id} teams={member.teams.length} /></section>}
                {may('audit:read') && <Link to="/audit" search={{ actor: member.person_id }}>{t('team.audit')}</Link>}
            </div>
            <OffBoard member={member} isOpen={isEnding} onClose={() => { setEnding(false); }} onDone={() => { setEnding(false); }} />
        </Sheet>
    );
}
