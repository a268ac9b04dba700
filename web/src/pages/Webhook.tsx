import { ActionIcon, Button, Menu, Modal, Select } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconDots, IconKey, IconKeyOff, IconPlayerPause, IconPlayerPlay, IconRotateClockwise, IconSend, IconTrash, IconWebhook } from '@tabler/icons-react';
import { getRouteApi, Link, Outlet, useMatchRoute, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { WebhookDelivery, WebhookEndpoint } from '@/api/types';
import { useMay } from '@/app/session';
import { Code, EmptyState, Facts, Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { ChoiceFilter, FilterBar } from '@/components/FilterBar';
import { ConfirmByName, SecretOnce } from '@/components/secrets';
import { StatusBadge } from '@/components/status';
import { say } from '@/components/undo';
import { forEachOf } from '@/features/messages/acts';
import { deliveriesQuery, endpointOne, type DeliveryState } from '@/features/webhooks/queries';
import { endpointState } from '@/features/webhooks/state';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/webhooks/$endpointId');
const spans = ['1', '24', '168'] as const;
const overlaps = ['0', '3600', '86400', '604800'] as const;

function Replay({ id, isOpen, onClose }: { id: string; isOpen: boolean; onClose: () => void }) {
    const t = useT();
    const client = useQueryClient();
    const [hours, setHours] = useState<string>('24');
    const [only, setOnly] = useState<'failed' | 'all'>('failed');
    const replay = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/webhook-endpoints/{endpoint_id}/replay', { params: { path: { endpoint_id: id } }, body: { since: new Date(Date.now() - Number(hours) * 3_600_000).toISOString(), only } })),
        onSuccess: () => { say(t('webhooks.replay.begun')); onClose(); return client.invalidateQueries({ queryKey: keys.endpoints.all }); },
    });
    return (
        <Modal opened={isOpen} onClose={onClose} title={t('webhooks.replay')} closeButtonProps={{ 'aria-label': t('close') }}>
            <div className="stack">
                <p style={{ margin: 0 }}>{t('webhooks.replay.text')}</p>
                <Select label={t('webhooks.replay.span')} allowDeselect={false} value={hours} onChange={(value) => { setHours(value ?? '24'); }} data={spans.map((span) => ({ value: span, label: t('webhooks.replay.hours', { count: Number(span) }) }))} />
                <Select label={t('webhooks.replay.only')} allowDeselect={false} value={only} onChange={(value) => { setOnly(value === 'all' ? 'all' : 'failed'); }} data={[{ value: 'failed', label: t('webhooks.replay.failed') }, { value: 'all', label: t('webhooks.replay.all') }]} />
                {replay.isError && <Problem error={replay.error} />}
                <Button loading={replay.isPending} onClick={() => { replay.mutate(); }}>{t('webhooks.replay')}</Button>
            </div>
        </Modal>
    );
}

export default function Webhook() {
    const t = useT();
    const { endpointId } = route.useParams();
    const query = useQuery(endpointOne(endpointId));
    return query.isPending ? <Page title={t('webhooks.one')} back={{ to: '/webhooks', word: t('nav.webhooks') }}><RowsSkeleton count={5} /></Page>
        : query.isError ? <Page title={t('webhooks.one')} back={{ to: '/webhooks', word: t('nav.webhooks') }}><Problem error={query.error} retry={() => { void query.refetch(); }} /></Page>
        : <Endpoint endpoint={query.data} />;
}

function Endpoint({ endpoint }: { endpoint: WebhookEndpoint }) {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const client = useQueryClient();
    const [state, setState] = useState<DeliveryState | undefined>();
    const [asking, setAsking] = useState<'replay' | 'delete' | 'rotate' | null>(null);
    const [overlap, setOverlap] = useState<string>('86400');
    const list = useInfiniteQuery(deliveriesQuery(endpoint.id, state));
    const open = useMatchRoute()({ to: '/webhooks/$endpointId/deliveries/$deliveryId' });
    const path = { endpoint_id: endpoint.id };
    const again = () => client.invalidateQueries({ queryKey: keys.endpoints.all });
    const test = useMutation({ mutationFn: () => unwrap(api.POST('/v1/webhook-endpoints/{endpoint_id}/test', { params: { path } })), onSuccess: () => { say(t('webhooks.test.sent')); return again(); } });
    const change = useMutation({ mutationFn: (to: 'enabled' | 'disabled') => unwrap(api.PATCH('/v1/webhook-endpoints/{endpoint_id}', { params: { path }, body: { state: to } })), onSuccess: again });
    const rotate = useMutation({ mutationFn: () => unwrap(api.POST('/v1/webhook-endpoints/{endpoint_id}/rotate-secret', { params: { path, query: { overlap_s: Number(overlap) } } })), onSuccess: () => { setAsking(null); return again(); } });
    const endOld = useMutation({ mutationFn: () => unwrap(api.DELETE('/v1/webhook-endpoints/{endpoint_id}/previous-keys', { params: { path } })), onSuccess: () => { say(t('webhooks.old_ended')); return again(); } });
    const replayMany = useMutation({
        mutationFn: ({ picked }: { picked: WebhookDelivery[]; clear: () => void }) => forEachOf(picked.map(({ id }) => id), (id) => unwrap(api.POST('/v1/webhook-deliveries/{delivery_id}/replay', { params: { path: { delivery_id: id } } }))),
        onSuccess: ({ done, refused }, { clear }) => { say([t('webhooks.replay.count', { count: done }), ...(refused === 0 ? [] : [t('bulk.refused', { count: refused })])].join(' ')); clear(); return again(); },
    });
    const remove = useMutation({ mutationFn: () => unwrap(api.DELETE('/v1/webhook-endpoints/{endpoint_id}', { params: { path } })), onSuccess: async () => { await navigate({ to: '/webhooks' }); await again(); } });
    const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
    const shown = endpointState(endpoint);
    const isMine = may('webhooks:manage');
    const host = URL.canParse(endpoint.url) ? new URL(endpoint.url).host : endpoint.url;
    const hasOld = endpoint.previous_keys_until !== null && Date.parse(endpoint.previous_keys_until) > Date.now();
    const error = test.error ?? change.error ?? endOld.error ?? replayMany.error;
    const columns: Column<WebhookDelivery>[] = [
        { id: 'event', title: t('webhooks.event'), cell: (delivery) => <Link to="/webhooks/$endpointId/deliveries/$deliveryId" params={{ endpointId: endpoint.id, deliveryId: delivery.id }} className="row-link mono" resetScroll={false}>{delivery.event_type}</Link> },
        { id: 'state', title: t('messages.status'), cell: (delivery) => <StatusBadge state={delivery.state} /> },
        { id: 'answer', title: t('webhooks.answer'), cell: (delivery) => { const last = delivery.attempts.at(-1); return last === undefined ? <span className="quiet">–</span> : <span className="number">{last.status_code ?? last.outcome}</span>; } },
        { id: 'attempts', title: t('message.attempts'), cell: (delivery) => String(delivery.attempts.length), isEnd: true, isMinor: true },
        { id: 'latency', title: t('webhooks.latency'), cell: (delivery) => { const last = delivery.attempts.at(-1); return last === undefined ? '–' : `${last.latency_ms} ms`; }, isEnd: true, isMinor: true },
        { id: 'created', title: t('messages.created'), cell: (delivery) => <When at={delivery.created_at} />, isEnd: true },
    ];
    return (
        <>
            <Page title={host} purpose={endpoint.description === '' ? t('webhooks.one') : endpoint.description} back={{ to: '/webhooks', word: t('nav.webhooks') }}
                acts={<>
                    <Button variant="default" leftSection={<IconSend size={16} />} disabled={!isMine || endpoint.state === 'disabled'} loading={test.isPending} onClick={() => { test.mutate(); }}>{t('webhooks.test')}</Button>
                    <Menu position="bottom-end">
                        <Menu.Target><ActionIcon variant="default" size={36} disabled={!isMine} aria-label={t('acts.of', { name: host })} style={{ flex: 'none' }}><IconDots size={18} /></ActionIcon></Menu.Target>
                        <Menu.Dropdown>
                            <Menu.Item leftSection={<IconRotateClockwise size={15} aria-hidden />} onClick={() => { setAsking('replay'); }}>{t('webhooks.replay')}</Menu.Item>
                            <Menu.Item leftSection={<IconKey size={15} aria-hidden />} onClick={() => { setAsking('rotate'); }}>{t('webhooks.rotate')}</Menu.Item>
                            {hasOld && <Menu.Item leftSection={<IconKeyOff size={15} aria-hidden />} onClick={() => { endOld.mutate(); }}>{t('webhooks.end_old')}</Menu.Item>}
                            <Menu.Item leftSection={endpoint.state === 'enabled' ? <IconPlayerPause size={15} aria-hidden /> : <IconPlayerPlay size={15} aria-hidden />} onClick={() => { change.mutate(endpoint.state === 'enabled' ? 'disabled' : 'enabled'); }}>{t(endpoint.state === 'enabled' ? 'webhooks.disable' : 'webhooks.enable')}</Menu.Item>
                            <Menu.Divider />
                            <Menu.Item color="red" leftSection={<IconTrash size={15} aria-hidden />} onClick={() => { setAsking('delete'); }}>{t('webhooks.remove')}</Menu.Item>
                        </Menu.Dropdown>
                    </Menu>
                </>}>
                {error !== null && <div style={{ marginBottom: 16 }}><Problem error={error} /></div>}
                {endpoint.state === 'disabled' && <p className="note" style={{ marginTop: 0 }}>{t('webhooks.disabled', { why: endpoint.disabled_reason ?? '–' })}</p>}
                <div className="card card-pad"><Facts rows={[
                    [t('messages.status'), <StatusBadge key="s" state={shown} />], [t('webhooks.url'), <Code key="u" text={endpoint.url} />], [t('webhooks.events'), <span key="e" className="mono">{endpoint.events.join(', ')}</span>],
                    [t('webhooks.signature'), t(`webhooks.signature.${endpoint.signature}`)],
                    ...(endpoint.public_key === null ? [] : [[t('webhooks.public_key'), <Code key="p" text={endpoint.public_key} />] as [string, React.ReactNode]]),
                    ...(endpoint.failing_since === null ? [] : [[t('webhooks.failing_since'), <When key="f" at={endpoint.failing_since} />] as [string, React.ReactNode]]),
                    ...(endpoint.previous_keys_until === null ? [] : [[t('webhooks.previous_until'), <When key="k" at={endpoint.previous_keys_until} />] as [string, React.ReactNode]]),
                ]} /></div>
                <section className="section">
                    <h2>{t('webhooks.deliveries')}</h2>
                    <FilterBar isOn={state !== undefined} onClear={() => { setState(undefined); }}>
                        <ChoiceFilter title={t('messages.status')} value={state === undefined ? [] : [state]} options={(['pending', 'delivered', 'failed', 'canceled'] as const).map((value) => ({ value, label: <StatusBadge state={value} /> }))} onChange={([value]) => { setState(value as DeliveryState | undefined); }} />
                    </FilterBar>
                    {list.isPending ? <RowsSkeleton count={5} /> : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                        : rows.length === 0 ? <EmptyState icon={IconWebhook} title={t('webhooks.deliveries.none')} text={t('webhooks.deliveries.none.text')} />
                        : <DataTable name="deliveries" label={t('webhooks.deliveries')} columns={columns} rows={rows} rowId={(delivery) => delivery.id} chosen={open === false ? undefined : open.deliveryId} onOpen={(delivery) => { void navigate({ to: '/webhooks/$endpointId/deliveries/$deliveryId', params: { endpointId: endpoint.id, deliveryId: delivery.id }, resetScroll: false }); }}
                            {...(isMine ? { bulk: (picked: WebhookDelivery[], clear: () => void) => { const over = picked.filter((each) => each.state !== 'pending'); return <Button variant="default" size="xs" disabled={over.length === 0} loading={replayMany.isPending} onClick={() => { replayMany.mutate({ picked: over, clear }); }}>{t('webhooks.replay.many', { count: over.length })}</Button>; } } : {})}
                            hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />}
                </section>
                <Replay id={endpoint.id} isOpen={asking === 'replay'} onClose={() => { setAsking(null); }} />
                <Modal opened={asking === 'rotate'} onClose={() => { rotate.reset(); setAsking(null); }} title={t('webhooks.rotate')} closeButtonProps={{ 'aria-label': t('close') }}>
                    <div className="stack">
                        <p style={{ margin: 0 }}>{t('webhooks.rotate.text')}</p>
                        <Select label={t('overlap')} description={t('overlap.help')} allowDeselect={false} value={overlap} onChange={(value) => { setOverlap(value ?? '86400'); }} data={overlaps.map((value) => ({ value, label: t(`overlap.${value}`) }))} />
                        {rotate.isError && <Problem error={rotate.error} />}
                        <Button loading={rotate.isPending} onClick={() => { rotate.mutate(); }}>{t('webhooks.rotate')}</Button>
                    </div>
                </Modal>
                <ConfirmByName isOpen={asking === 'delete'} title={t('webhooks.remove')} text={t('webhooks.remove.text')} name={host} act={t('webhooks.remove')} isBusy={remove.isPending} onClose={() => { setAsking(null); }} onConfirm={() => { remove.mutate(); }}>{remove.isError && <Problem error={remove.error} />}</ConfirmByName>
                <SecretOnce title={t('webhooks.rotated')} text={t('webhooks.made.text')} secret={rotate.data === undefined ? null : rotate.data.secret ?? rotate.data.public_key ?? ''} onDone={() => { rotate.reset(); }} />
            </Page>
            <Outlet />
        </>
    );
}
