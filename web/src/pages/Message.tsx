import { Button, Skeleton, Tabs } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { Message as MessageOf } from '@/api/types';
import { Code, Facts, Json, Problem, When } from '@/components/basics';
import { Sheet } from '@/components/Sheet';
import { StatusBadge } from '@/components/status';
import { say } from '@/components/undo';
import { useMay } from '@/app/session';
import { Content } from '@/features/messages/Content';
import { messageOne } from '@/features/messages/queries';
import { Timeline } from '@/features/messages/Timeline';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/messages/$messageId');
const cancelable = new Set(['accepted', 'queued', 'held']);

export default function Message() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const client = useQueryClient();
    const { messageId } = route.useParams();
    const filter = route.useSearch();
    const query = useQuery(messageOne(messageId));
    const cancel = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/messages/{message_id}/cancel', { params: { path: { message_id: messageId } } })),
        onSuccess: () => { say(t('message.canceled')); },
        onSettled: () => client.invalidateQueries({ queryKey: keys.messages.all }),
    });
    const close = () => { void navigate({ to: '/messages', search: filter, resetScroll: false }); };
    const message = query.data;
    const who = message === undefined ? '' : (message.direction === 'inbound' ? message.from : message.to) ?? message.id;
    return (
        <Sheet title={message === undefined ? t('message.title') : <span className="line" style={{ flexWrap: 'nowrap' }}><span className="number cut">{who}</span><StatusBadge state={message.status} /></span>} label={t('message.title')} onClose={close}
            foot={message !== undefined && cancelable.has(message.status) ? <Button variant="default" disabled={!may('messages:send')} title={may('messages:send') ? undefined : t('may.not')} loading={cancel.isPending} onClick={() => { cancel.mutate(); }}>{t('message.cancel')}</Button> : undefined}>
            {query.isPending ? <div role="status" aria-label={t('loading')}>{[60, 90, 75, 80, 40].map((width) => <Skeleton key={width} height={16} my={14} width={`${width}%`} />)}</div>
                : query.isError ? <Problem error={query.error} retry={() => { void query.refetch(); }} />
                : <Body message={query.data} problem={cancel.error} />}
        </Sheet>
    );
}

function Body({ message, problem }: { message: MessageOf; problem: unknown }) {
    const t = useT();
    return (
        <div className="stack">
            {problem !== null && <Problem error={problem} />}
            {message.error !== null && <div className="note"><strong>{message.error.title}</strong><p style={{ margin: 0 }} className="quiet">{t(`error.${message.error.class}`)} <span className="mono">{message.error.code}</span></p></div>}
            <Content message={message} />
            <Tabs defaultValue="timeline" keepMounted={false}>
                <Tabs.List mb={16}>
                    <Tabs.Tab value="timeline">{t('message.timeline')}</Tabs.Tab>
                    <Tabs.Tab value="facts">{t('message.facts')}</Tabs.Tab>
                    <Tabs.Tab value="json">JSON</Tabs.Tab>
                </Tabs.List>
                <Tabs.Panel value="timeline"><Timeline entries={message.timeline ?? []} /></Tabs.Panel>
                <Tabs.Panel value="facts">
                    <Facts rows={[
                        [t('messages.id'), <Code key="id" text={message.id} />],
                        [t('messages.created'), <When key="c" at={message.created_at} />],
                        [t('messages.direction'), t(`direction.${message.direction}`)],
                        [t('messages.type'), message.type],
                        [t('messages.category'), t(`category.${message.category}`)],
                        [t('messages.channel'), <Code key="ch" text={message.channel_id} />],
                        [t('messages.reference'), message.reference ?? '–'],
                        [t('message.provider_id'), message.provider_id === null ? '–' : <Code key="p" text={message.provider_id} />],
                        [t('message.attempts'), String(message.attempts)],
                        ...(message.send_at == null ? [] : [[t('message.send_at'), <When key="s" at={message.send_at} />] as [string, React.ReactNode]]),
                        ...(message.expires_at == null ? [] : [[t('message.expires_at'), <When key="e" at={message.expires_at} />] as [string, React.ReactNode]]),
                        ...((message.tags?.length ?? 0) === 0 ? [] : [[t('messages.tag'), (message.tags ?? []).join(', ')] as [string, React.ReactNode]]),
                    ]} />
                </Tabs.Panel>
                <Tabs.Panel value="json"><Json value={message} /></Tabs.Panel>
            </Tabs>
        </div>
    );
}
