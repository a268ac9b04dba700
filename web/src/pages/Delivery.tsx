import { Button, Skeleton } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconRotateClockwise } from '@tabler/icons-react';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { useMay } from '@/app/session';
import { Code, Facts, Problem, When } from '@/components/basics';
import { Sheet } from '@/components/Sheet';
import { StatusBadge, StatusIcon } from '@/components/status';
import { say } from '@/components/undo';
import { deliveryOne } from '@/features/webhooks/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/webhooks/$endpointId/deliveries/$deliveryId');

export default function Delivery() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const client = useQueryClient();
    const { endpointId, deliveryId } = route.useParams();
    const query = useQuery(deliveryOne(deliveryId));
    const replay = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/webhook-deliveries/{delivery_id}/replay', { params: { path: { delivery_id: deliveryId } } })),
        onSuccess: () => { say(t('webhooks.replay.begun')); return client.invalidateQueries({ queryKey: keys.endpoints.all }); },
    });
    const delivery = query.data;
    return (
        <Sheet title={delivery === undefined ? t('webhooks.delivery') : <span className="mono">{delivery.event_type}</span>} label={t('webhooks.delivery')} onClose={() => { void navigate({ to: '/webhooks/$endpointId', params: { endpointId }, resetScroll: false }); }}
            foot={delivery === undefined || delivery.state === 'pending' ? undefined : <Button variant="default" leftSection={<IconRotateClockwise size={16} />} disabled={!may('webhooks:manage')} loading={replay.isPending} onClick={() => { replay.mutate(); }}>{t('webhooks.replay.one')}</Button>}>
            {query.isPending ? <Skeleton height={200} /> : query.isError ? <Problem error={query.error} retry={() => { void query.refetch(); }} /> : (
                <div className="stack">
                    {replay.isError && <Problem error={replay.error} />}
                    <Facts rows={[[t('messages.status'), <StatusBadge key="s" state={query.data.state} />], [t('messages.id'), <Code key="i" text={query.data.id} />], [t('webhooks.event_id'), <Code key="e" text={query.data.event_id} />], [t('messages.created'), <When key="c" at={query.data.created_at} />], [t('webhooks.next'), <When key="n" at={query.data.next_attempt_at} />]]} />
                    <h3 style={{ margin: 0 }}>{t('message.attempts')}</h3>
                    <ol className="timeline">
                        {query.data.attempts.map((attempt) => (
                            <li key={attempt.number}>
                                <span className="timeline-dot"><StatusIcon state={attempt.outcome === 'delivered' ? 'delivered' : 'failed'} /></span>
                                <div className="line" style={{ justifyContent: 'space-between' }}><span style={{ fontWeight: 560 }}>{attempt.status_code === null ? t(`outcome.${attempt.outcome}`) : `HTTP ${attempt.status_code}`}</span><span className="quiet" style={{ fontSize: 13 }}><When at={attempt.at} /></span></div>
                                <div className="quiet number" style={{ fontSize: 13 }}>{[`${attempt.latency_ms} ms`, attempt.address ?? undefined].filter((part) => part !== undefined).join(' · ')}</div>
                                {attempt.answer != null && attempt.answer !== '' && <pre className="pre" style={{ marginTop: 8 }} tabIndex={0}>{attempt.answer}</pre>}
                            </li>
                        ))}
                    </ol>
                </div>
            )}
        </Sheet>
    );
}
