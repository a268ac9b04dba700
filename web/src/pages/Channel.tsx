import { ActionIcon, Button, Menu } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconDots, IconPlayerPause, IconPlayerPlay, IconRefresh, IconTrash } from '@tabler/icons-react';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { Channel as ChannelOf } from '@/api/types';
import { useMay } from '@/app/session';
import { Code, Facts, Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { ConfirmByName } from '@/components/secrets';
import { StatusBadge, StatusIcon } from '@/components/status';
import { sayWithUndo, say } from '@/components/undo';
import { ChannelLimits } from '@/features/channels/ChannelLimits';
import { isQuality, tierOf } from '@/features/channels/health';
import { channelOne } from '@/features/channels/queries';
import { CarriersOf } from '@/features/sms/RoutesOf';
import { SenderOptions } from '@/features/sms/SenderForm';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/channels/$channelId');

export default function Channel() {
    const t = useT();
    const { channelId } = route.useParams();
    const query = useQuery(channelOne(channelId));
    const back = { to: '/channels', word: t('nav.channels') };
    return query.isPending ? <Page title={t('channels.one')} back={back}><RowsSkeleton count={5} /></Page>
        : query.isError ? <Page title={t('channels.one')} back={back}><Problem error={query.error} retry={() => { void query.refetch(); }} /></Page>
        : <One channel={query.data} />;
}

function One({ channel }: { channel: ChannelOf }) {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const client = useQueryClient();
    const [isEnding, setEnding] = useState(false);
    const path = { channel_id: channel.id };
    const { whatsapp, sms } = channel;
    const number = useQuery({ enabled: whatsapp !== undefined, queryKey: keys.channels.number(channel.id), queryFn: () => unwrap(api.GET('/v1/channels/{channel_id}/number', { params: { path } })) });
    const operations = useQuery({ queryKey: keys.channels.operations(channel.id), queryFn: () => unwrap(api.GET('/v1/channels/{channel_id}/operations', { params: { path, query: { limit: 10 } } })) });
    const again = () => client.invalidateQueries({ queryKey: keys.channels.all });
    const change = useMutation({
        mutationFn: (state: 'active' | 'paused') => unwrap(api.PATCH('/v1/channels/{channel_id}', { params: { path }, body: { state } })),
        onSuccess: (_, state) => { sayWithUndo(t(state === 'paused' ? 'channels.paused' : 'channels.resumed', { name: channel.name }), t('undo'), () => { change.mutate(state === 'paused' ? 'active' : 'paused'); }); return again(); },
    });
    const sync = useMutation({ mutationFn: () => unwrap(api.POST('/v1/channels/{channel_id}/number/sync', { params: { path } })), onSuccess: () => { say(t('channels.sync.begun')); return again(); } });
    const remove = useMutation({ mutationFn: () => unwrap(api.DELETE('/v1/channels/{channel_id}', { params: { path } })), onSuccess: async () => { await navigate({ to: '/channels' }); await again(); } });
    const isMine = may('channels:manage');
    const isPaused = channel.state === 'paused';
    const known = number.data;
    const facts: [string, React.ReactNode][] = known === undefined ? [] : [
        [t('channels.verified_name'), known.verified_name ?? '–'], [t('channels.quality'), isQuality(known.quality_rating) ? t(`quality.${known.quality_rating}`) : known.quality_rating ?? '–'], [t('channels.limit'), tierOf(known.messaging_limit) === null ? known.messaging_limit ?? '–' : t('channels.people_a_day', { count: tierOf(known.messaging_limit) ?? 0 })], [t('channels.throughput'), known.throughput ?? '–'], [t('channels.synced'), <When key="s" at={known.synced_at} />],
    ];
    const own: [string, React.ReactNode][] = whatsapp !== undefined ? [
        [t('channels.phone_id'), <Code key="p" text={whatsapp.phone_number_id} />], [t('channels.account'), <Code key="w" text={whatsapp.waba_id} />], [t('channels.callback'), <Code key="c" text={channel.callback_url ?? ''} />],
    ] : sms === undefined ? [] : [
        [t('sms.sender'), <Code key="s" text={sms.sender} />], [t('sms.sender_kind'), t(`sms.kind.${sms.sender_kind}`)],
    ];
    return (
        <Page title={channel.name} purpose={whatsapp?.display_phone_number ?? sms?.sender ?? ''} back={{ to: '/channels', word: t('nav.channels') }}
            acts={<>
                <Button variant="default" leftSection={isPaused ? <IconPlayerPlay size={16} /> : <IconPlayerPause size={16} />} disabled={!isMine || (channel.state !== 'active' && !isPaused)} loading={change.isPending} onClick={() => { change.mutate(isPaused ? 'active' : 'paused'); }}>{t(isPaused ? 'channels.resume' : 'channels.pause')}</Button>
                <Menu position="bottom-end">
                    <Menu.Target><ActionIcon variant="default" size={36} disabled={!isMine} aria-label={t('acts.of', { name: channel.name })} style={{ flex: 'none' }}><IconDots size={18} /></ActionIcon></Menu.Target>
                    <Menu.Dropdown>{whatsapp !== undefined && <><Menu.Item leftSection={<IconRefresh size={15} aria-hidden />} onClick={() => { sync.mutate(); }}>{t('channels.sync')}</Menu.Item><Menu.Divider /></>}<Menu.Item color="red" leftSection={<IconTrash size={15} aria-hidden />} onClick={() => { setEnding(true); }}>{t('channels.disconnect')}</Menu.Item></Menu.Dropdown>
                </Menu>
            </>}>
            {(change.error ?? sync.error) !== null && <div style={{ marginBottom: 16 }}><Problem error={change.error ?? sync.error} /></div>}
            {channel.state === 'broken' && <p className="note" style={{ marginTop: 0 }}>{t('channels.broken', { reason: channel.state_reason ?? '–' })}</p>}
            <div className="card card-pad"><Facts rows={[[t('messages.status'), <StatusBadge key="s" state={channel.state} />], [t('messages.id'), <Code key="i" text={channel.id} />], ...own, ...facts]} /></div>
            <p className="line" style={{ marginTop: 16, gap: 20 }}><Link to="/messages" search={{ channel: channel.id }}>{t('channels.messages')}</Link>{sms !== undefined && may('messages:send') && <Link to="/channels/preview" search={{ sender: channel.id }}>{t('sms.tab.preview')}</Link>}</p>
            {sms !== undefined && <>
                <section className="section"><div className="section-head"><h2>{t('sms.carriers')}</h2>{isMine && <Link to="/channels/routes/$routeId" params={{ routeId: 'new' }} search={{ sender: channel.id }}>{t('sms.route.add')}</Link>}</div><CarriersOf channel={channel.id} /></section>
                <section className="section"><h2>{t('sms.texts')}</h2><SenderOptions key={channel.updated_at} of={channel} sms={sms} /></section>
            </>}
            <ChannelLimits id={channel.id} />
            {(operations.data?.data.length ?? 0) > 0 && (
                <section className="section"><h2>{t('channels.operations')}</h2>
                    <ul className="rows card">{operations.data?.data.map((operation) => <li key={operation.id}><StatusIcon state={operation.state === 'succeeded' ? 'succeeded' : operation.state === 'failed' ? 'failed' : 'pending'} /><span className="grow mono cut">{operation.kind}</span>{operation.error !== null && <span className="cut" style={{ color: 'var(--st-red)', fontSize: 13 }}>{operation.error.title}</span>}<span className="quiet"><When at={operation.created_at} /></span></li>)}</ul>
                </section>
            )}
            <ConfirmByName isOpen={isEnding} title={t('channels.disconnect')} text={t('channels.disconnect.text')} name={channel.name} act={t('channels.disconnect')} isBusy={remove.isPending} onClose={() => { setEnding(false); }} onConfirm={() => { remove.mutate(); }}>{remove.isError && <Problem error={remove.error} />}</ConfirmByName>
        </Page>
    );
}
