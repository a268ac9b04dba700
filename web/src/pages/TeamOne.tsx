import { Button, MultiSelect, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconTrash } from '@tabler/icons-react';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { ApiError, faultsByField } from '@/api/problem';
import type { Team } from '@/api/types';
import { useMay } from '@/app/session';
import { Problem, RowsSkeleton } from '@/components/basics';
import { ConfirmByName } from '@/components/secrets';
import { Sheet } from '@/components/Sheet';
import { say } from '@/components/undo';
import { differences } from '@/features/team/authority';
import { nameOf } from '@/features/team/pieces';
import { everybodyQuery, teamsQuery } from '@/features/team/queries';
import { useChannelNames } from '@/features/team/Reach';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/team/teams/$teamId');

/** One team, or "new": a name, its channels, and who is in it. */
export default function TeamOne() {
    const t = useT();
    const navigate = useNavigate();
    const { teamId } = route.useParams();
    const teams = useQuery(teamsQuery);
    const close = () => { void navigate({ to: '/team/teams', resetScroll: false }); };
    const found = teams.data?.find((team) => team.id === teamId);
    if (found !== undefined || teamId === 'new')
        return <One key={`${teamId} ${found?.updated_at ?? ''} ${found?.members.length ?? 0}`} team={found ?? null} onClose={close} />;
    return <Sheet title={t('team.team')} label={t('team.team')} onClose={close}>{teams.isPending ? <RowsSkeleton count={3} /> : <Problem error={teams.error ?? new ApiError(404, null, null)} />}</Sheet>;
}

function One({ team, onClose }: { team: Team | null; onClose: () => void }) {
    const t = useT();
    const may = useMay();
    const client = useQueryClient();
    const everybody = useQuery(everybodyQuery);
    const channelNames = useChannelNames();
    const [name, setName] = useState(team?.name ?? '');
    const [channels, setChannels] = useState<string[]>(team?.channels ?? []);
    const [members, setMembers] = useState<string[]>(team?.members ?? []);
    const [asked, setAsked] = useState(false);
    const [isEnding, setEnding] = useState(false);
    const isMine = may('people:manage');
    const ofMembers = differences(team?.members ?? [], members), ofChannels = differences(team?.channels ?? [], channels);
    const isTeamChanged = name.trim() !== (team?.name ?? '') || ofChannels.added.length + ofChannels.removed.length !== 0;
    const isChanged = isTeamChanged || ofMembers.added.length + ofMembers.removed.length !== 0;
    const again = () => client.invalidateQueries({ queryKey: keys.team.all });
    const save = useMutation({
        mutationFn: async () => {
            const saved = team === null ? await unwrap(api.POST('/v1/teams', { body: { name: name.trim(), channels } }))
                : isTeamChanged ? await unwrap(api.PATCH('/v1/teams/{team_id}', { params: { path: { team_id: team.id } }, body: { name: name.trim(), channels } })) : team;
            for (const member of ofMembers.added)
                await unwrap(api.PUT('/v1/teams/{team_id}/members/{membership_id}', { params: { path: { team_id: saved.id, membership_id: member } } }));
            for (const member of ofMembers.removed)
                await unwrap(api.DELETE('/v1/teams/{team_id}/members/{membership_id}', { params: { path: { team_id: saved.id, membership_id: member } } }));
            return saved;
        },
        onSuccess: (saved) => { say(t('team.saved', { name: saved.name })); onClose(); },
        onSettled: again,
    });
    const remove = useMutation({ mutationFn: () => unwrap(api.DELETE('/v1/teams/{team_id}', { params: { path: { team_id: team?.id ?? '' } } })), onSuccess: () => { onClose(); return again(); } });
    const faults = faultsByField(save.error);
    const nameFault = asked && name.trim() === '' ? t('keys.name.missing') : faults['/name'];
    const people = [...(everybody.data ?? []).map((member) => ({ value: member.id, label: nameOf(member, t('team.nameless')) })), ...members.filter((id) => everybody.data?.every((member) => member.id !== id) === true).map((value) => ({ value, label: `…${value.slice(-6)}` }))];
    return (
        <Sheet title={team?.name ?? t('team.teams.create')} label={t('team.team')} onClose={() => { if (!isEnding) onClose(); }}
            foot={team === null || !isMine ? undefined : <Button variant="default" leftSection={<IconTrash size={16} />} style={{ color: 'var(--st-red)' }} onClick={() => { setEnding(true); }}>{t('team.teams.delete')}</Button>}>
            <form className="stack" style={{ gap: 20 }} noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (name.trim() !== '') save.mutate(); }}>
                {save.isError && <Problem error={save.error} />}
                <TextInput label={t('team.name')} value={name} maxLength={60} disabled={!isMine} error={nameFault} onChange={(event) => { setName(event.currentTarget.value); }} required withAsterisk={false} />
                <MultiSelect label={t('nav.channels')} description={t('team.teams.channels.help')} searchable hidePickedOptions disabled={!isMine} value={channels} data={channelNames.options(channels)} error={faults['/channels']} onChange={setChannels} nothingFoundMessage={t('team.nothing_found')} />
                <MultiSelect label={t('team.members')} description={t('team.teams.members.help')} searchable hidePickedOptions disabled={!isMine} value={members} data={people} onChange={setMembers} nothingFoundMessage={t('team.nothing_found')} />
                {isMine && <div className="line"><Button type="submit" disabled={!isChanged} loading={save.isPending}>{t(team === null ? 'team.teams.create' : 'save')}</Button></div>}
            </form>
            {team !== null && (
                <ConfirmByName isOpen={isEnding} title={t('team.teams.delete')} text={t('team.teams.delete.text', { count: team.members.length })} name={team.name} act={t('team.teams.delete')} isBusy={remove.isPending} onClose={() => { remove.reset(); setEnding(false); }} onConfirm={() => { remove.mutate(); }}>
                    {remove.isError && <Problem error={remove.error} />}
                </ConfirmByName>
            )}
        </Sheet>
    );
}
