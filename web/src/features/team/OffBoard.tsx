import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Skeleton } from '@mantine/core';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { Member } from '@/api/types';
import { Problem, When } from '@/components/basics';
import { ConfirmByName } from '@/components/secrets';
import { say } from '@/components/undo';
import { useT } from '@/i18n/i18n';
import { nameOf } from './pieces';
import { accessQuery } from './queries';

/** What somebody has here, and so what ends with it: sessions, keys by their names, invitations, places in teams. */
export function AccessList({ id, teams }: { id: string; teams: number }) {
    const t = useT();
    const access = useQuery(accessQuery(id));
    if (access.isPending)
        return <div role="status" aria-label={t('loading')}>{[70, 50, 60].map((width) => <Skeleton key={width} height={14} my={10} width={`${width}%`} />)}</div>;
    if (access.isError)
        return <Problem error={access.error} retry={() => { void access.refetch(); }} />;
    const { sessions, api_keys: made, invitations } = access.data;
    return (
        <ul className="plain">
            <li>{t('team.access.sessions', { count: sessions })}</li>
            <li>{t('team.access.keys', { count: made.length })}
                {made.length !== 0 && <ul className="plain quiet">{made.slice(0, 20).map((key) => <li key={key.id}>{key.name} <span className="mono">…{key.last_four}</span>, {t('team.access.used')} <When at={key.last_used_at} none={t('keys.used.never')} /></li>)}{made.length > 20 && <li>{t('team.more', { count: made.length - 20 })}</li>}</ul>}
            </li>
            <li>{t('team.access.invitations', { count: invitations })}</li>
            <li>{t('team.access.teams', { count: teams })}</li>
        </ul>
    );
}

/** How the person proves who he is; a second factor is part of a passkey. */
export function SignInList({ id }: { id: string }) {
    const t = useT();
    const access = useQuery(accessQuery(id));
    return access.data === undefined ? <span className="quiet">–</span> : <>{t('team.access.passkeys', { count: access.data.passkeys })}{access.data.has_authenticator_app && <>, {t('team.access.app')}</>}</>;
}

/** Ends all that a member has here, after the name was typed. `end` is another way than removing, such as a review's decision. */
export function OffBoard({ member, isOpen, onClose, onDone, end }: { member: Pick<Member, 'id' | 'name' | 'email' | 'teams'>; isOpen: boolean; onClose: () => void; onDone: () => void; end?: () => Promise<unknown> }) {
    const t = useT();
    const client = useQueryClient();
    const name = nameOf(member, t('team.nameless'));
    const remove = useMutation({
        mutationFn: async () => { await (end === undefined ? unwrap(api.DELETE('/v1/people/{membership_id}', { params: { path: { membership_id: member.id } } })) : end()); },
        onSuccess: () => { say(t('team.offboarded', { name })); onDone(); return Promise.all([client.invalidateQueries({ queryKey: keys.team.all }), client.invalidateQueries({ queryKey: keys.apiKeys.all })]); },
    });
    return (
        <ConfirmByName isOpen={isOpen} title={t('team.offboard')} text={t('team.offboard.text', { name })} name={name} act={t('team.offboard')} isBusy={remove.isPending} onClose={() => { remove.reset(); onClose(); }} onConfirm={() => { remove.mutate(); }}>
            {isOpen && <AccessList id={member.id} teams={member.teams.length} />}
            {remove.isError && <Problem error={remove.error} />}
        </ConfirmByName>
    );
}
