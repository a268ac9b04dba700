import { MultiSelect, Select } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { PersonScope } from '@/api/types';
import { useMay } from '@/app/session';
import { channelsQuery } from '@/features/channels/queries';
import { useT } from '@/i18n/i18n';
import { lostByLimit } from './authority';
import { permissionsQuery, teamsQuery } from './queries';
import { usePermissionName } from './roles';

export interface Reach { scope: PersonScope; channels: string[]; teams: string[] }

/** For a choice: channels by their names; one that is not seen from here keeps its id. */
export function useChannelNames(): { options: (chosen: readonly string[]) => { value: string; label: string }[]; name: (id: string) => string } {
    const may = useMay();
    const channels = useQuery({ ...channelsQuery, enabled: may('channels:read') });
    const names = new Map((channels.data ?? []).map((channel) => [channel.id, channel.name]));
    const name = (id: string) => names.get(id) ?? `…${id.slice(-6)}`;
    return { name, options: (chosen) => [...new Set([...names.keys(), ...chosen])].map((value) => ({ value, label: name(value) })) };
}

/** Which channels somebody's role holds for, in a few words. */
export function ReachText({ of }: { of: { scope: PersonScope; channels: readonly string[]; teams?: readonly string[] } }) {
    const t = useT();
    return <>{of.scope === 'all' ? t('team.reach.all') : of.scope === 'teams' ? t('team.reach.teams.count', { count: of.teams?.length ?? 0 }) : t('team.reach.channels.count', { count: of.channels.length })}</>;
}

const scopes = ['all', 'teams', 'channels'] as const;

/** For which channels, and in which teams; and what a limit takes away from the role. */
export function ReachFields({ value, onChange, permissions, faults, isDisabled = false }: { value: Reach; onChange: (value: Reach) => void; permissions: readonly string[]; faults: Record<string, string>; isDisabled?: boolean }) {
    const t = useT();
    const teams = useQuery(teamsQuery);
    const all = useQuery(permissionsQuery);
    const channelNames = useChannelNames();
    const permissionName = usePermissionName();
    const lost = value.scope === 'all' ? [] : lostByLimit(permissions, all.data ?? []);
    return (
        <>
            <Select label={t('team.reach')} description={value.scope === 'all' ? undefined : t('team.reach.help')} allowDeselect={false} disabled={isDisabled} value={value.scope} error={faults['/scope']}
                data={scopes.map((scope) => ({ value: scope, label: t(`team.reach.${scope}`) }))}
                onChange={(scope) => { onChange({ ...value, scope: scopes.find((each) => each === scope) ?? 'all' }); }} />
            {value.scope === 'channels' && <MultiSelect label={t('nav.channels')} description={value.channels.length === 0 ? t('team.reach.channels.none') : undefined} disabled={isDisabled} searchable hidePickedOptions value={value.channels} data={channelNames.options(value.channels)} error={faults['/channels']} onChange={(channels) => { onChange({ ...value, channels }); }} />}
            <MultiSelect label={t('team.teams')} description={value.scope === 'teams' && value.teams.length === 0 ? t('team.reach.teams.none') : t('team.teams.help')} disabled={isDisabled} searchable hidePickedOptions value={value.teams} error={faults['/teams']} maxValues={50}
                nothingFoundMessage={t('team.teams.empty')} data={(teams.data ?? []).map((team) => ({ value: team.id, label: team.name }))} onChange={(chosen) => { onChange({ ...value, teams: chosen }); }} />
            {lost.length !== 0 && <p className="note" style={{ margin: 0 }} role="status">{t('team.reach.lost')} {lost.map(permissionName).join(', ')}.</p>}
        </>
    );
}
