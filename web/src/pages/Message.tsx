import { Button, Skeleton, Tabs } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconRepeat } from '@tabler/icons-react';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { keys } from '@/api/keys';
import type { Channel, Message as MessageOf } from '@/api/types';
import { Code, Facts, Json, Problem, When } from '@/components/basics';
import { Sheet } from '@/components/Sheet';
import { StatusBadge } from '@/components/status';
import { say } from '@/components/undo';
import { useMay } from '@/app/session';
import { channelsQuery } from '@/features/channels/queries';
import { cancelMessage } from '@/features/messages/acts';
import { MessagesAct } from '@/features/messages/Again';
import { Content } from '@/features/messages/Content';
import { messageOne } from '@/features/messages/queries';
import { Receipts } from '@/features/messages/Receipts';
import { Rules } from '@/features/messages/Rules';
import { Timeline } from '@/features/messages/Timeline';
import { mayCancel, mayResend } from '@/features/messages/state';
import { WhyNote } from '@/features/messages/WhyNote';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/messages/$messageId');

/** Another message, in the same sheet. */
function OtherMessage({ id }: { id: string }) {
    return <Link to="/messages/$messageId" params={{ messageId: id }} search={route.useSearch()} resetScroll={false} className="mono">{id.slice(0, 4)}…{id.slice(-6)}</Link>;
}

export default function Message() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const client = useQueryClient();
    const { messageId } = route.useParams();
    const filter = route.useSearch();
    const query = useQuery(messageOne(messageId));
    const channels = useQuery({ ...channelsQuery, enabled: may('channels:read') });
    const [isResending, setResending] = useState(false);
    const cancel = useMutation({
        mutationFn: () => cancelMessage(messageId),
        onSuccess: () => { say(t('message.canceled')); },
        onSettled: () => client.invalidateQueries({ queryKey: keys.messages.all }),
    });
    const close = () => { void navigate({ to: '/messages', search: filter, resetScroll: false }); };
    const message = query.data;
    const who = message === undefined ? '' : (message.direction === 'inbound' ? message.from : message.to) ?? message.id;
    return (
        <Sheet title={message === undefined ? t('message.title') : <span className="line" style={{ flexWrap: 'nowrap' }}><span className="number cut">{who}</span><StatusBadge state={message.status} /></span>} label={t('message.title')} onClose={close}
            foot={message === undefined ? undefined
                : mayCancel(message) ? <Button variant="default" disabled={!may('messages:send')} title={may('messages:send') ? undefined : t('may.not')} loading={cancel.isPending} onClick={() => { cancel.mutate(); }}>{t('message.cancel')}</Button>
                : mayResend(message) ? <Button variant="default" leftSection={<IconRepeat size={16} aria-hidden />} disabled={!may('messages:send')} title={may('messages:send') ? undefined : t('may.not')} onClick={() => { setResending(true); }}>{t('resend')}</Button> : undefined}>
            {query.isPending ? <div role="status" aria-label={t('loading')}>{[60, 90, 75, 80, 40].map((width) => <Skeleton key={width} height={16} my={14} width={`${width}%`} />)}</div>
                : query.isError ? <Problem error={query.error} retry={() => { void query.refetch(); }} />
                : <Body message={query.data} problem={cancel.error} channel={channels.data?.find(({ id }) => id === query.data.channel_id)} />}
            <MessagesAct act={isResending ? 'resend' : null} messages={message === undefined ? [] : [message]} onClose={() => { setResending(false); }}
                onDone={([made]) => { setResending(false); if (made !== undefined) void navigate({ to: '/messages/$messageId', params: { messageId: made }, search: filter, resetScroll: false }); }} />
        </Sheet>
    );
}

function Body({ message, problem, channel }: { message: MessageOf; problem: unknown; channel: Channel | undefined }) {
    const t = useT();
    return (
        <div className="stack">
            {problem !== null && <Problem error={problem} />}
            <WhyNote message={message} channel={channel} />
            {(message.resent_as?.length ?? 0) > 0 && <p className="note line" style={{ margin: 0 }}><IconRepeat size={16} aria-hidden />{t('resend.as')}{message.resent_as?.map((id) => <OtherMessage key={id} id={id} />)}</p>}
            <Content message={message} />
            <Tabs defaultValue="timeline" keepMounted={false}>
                <Tabs.List mb={16}>
                    <Tabs.Tab value="timeline">{t('message.timeline')}</Tabs.Tab>
                    <Tabs.Tab value="rules">{t('rules')}</Tabs.Tab>
                    <Tabs.Tab value="facts">{t('message.facts')}</Tabs.Tab>
                    <Tabs.Tab value="json">JSON</Tabs.Tab>
                </Tabs.List>
                <Tabs.Panel value="timeline"><Timeline entries={message.timeline ?? []} /></Tabs.Panel>
                <Tabs.Panel value="rules"><Receipts message={message} /><Rules message={message} channel={channel} /></Tabs.Panel>
                <Tabs.Panel value="facts">
                    <Facts rows={[
                        [t('messages.id'), <Code key="id" text={message.id} />],
                        [t('messages.created'), <When key="c" at={message.created_at} />],
                        [t('messages.direction'), t(`direction.${message.direction}`)],
                        [t('messages.type'), message.type],
                        [t('messages.category'), t(`category.${message.category}`)],
                        [t('messages.channel'), channel === undefined ? <Code key="ch" text={message.channel_id} /> : <Link key="ch" to="/channels/$channelId" params={{ channelId: channel.id }}>{channel.name}</Link>],
                        [t('messages.reference'), message.reference ?? '–'],
                        [t('message.provider_id'), message.provider_id === null ? '–' : <Code key="p" text={message.provider_id} />],
                        [t('message.attempts'), String(message.attempts)],
                        ...(message.send_at == null ? [] : [[t('message.send_at'), <When key="s" at={message.send_at} />] as [string, React.ReactNode]]),
                        ...(message.expires_at == null ? [] : [[t('message.expires_at'), <When key="e" at={message.expires_at} />] as [string, React.ReactNode]]),
                        ...(message.resent_from == null ? [] : [[t('resend.from'), <OtherMessage key="rf" id={message.resent_from} />] as [string, React.ReactNode]]),
                        ...(message.reply_to === null ? [] : [[t('message.reply_to'), <OtherMessage key="rt" id={message.reply_to} />] as [string, React.ReactNode]]),
                        ...((message.tags?.length ?? 0) === 0 ? [] : [[t('messages.tag'), (message.tags ?? []).join(', ')] as [string, React.ReactNode]]),
                    ]} />
                    {Object.keys(message.metadata ?? {}).length !== 0 && <><h3 style={{ margin: '20px 0 8px' }}>{t('message.metadata')}</h3><Facts rows={Object.entries(message.metadata ?? {}).map(([name, value]): [string, React.ReactNode] => [name, String(value)])} /></>}
                </Tabs.Panel>
                <Tabs.Panel value="json"><Json value={message} /></Tabs.Panel>
            </Tabs>
        </div>
    );
}
