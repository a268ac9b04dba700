import { Link } from '@tanstack/react-router';
import type { TimelineEntry } from '@/api/types';
import { When } from '@/components/basics';
import { isShown, StatusBadge, StatusIcon } from '@/components/status';
import { useT, type Word } from '@/i18n/i18n';
import { RuleName } from './RuleName';

const actors: Record<string, Word> = { 'api-key': 'actor.key', person: 'actor.person', dispatcher: 'actor.dispatcher', provider: 'actor.provider', policy: 'actor.policy', schedule: 'actor.schedule' };

/** A message's life: each step, who caused it and why, and the webhooks that told of it. */
export function Timeline({ entries }: { entries: TimelineEntry[] }) {
    const t = useT();
    return (
        <ol className="timeline">
            {entries.map((entry) => {
                const state = entry.status ?? entry.type.split('.').at(-1) ?? '';
                const actor = entry.actor === undefined ? undefined : actors[entry.actor];
                return (
                    <li key={entry.id}>
                        <span className="timeline-dot"><StatusIcon state={state} /></span>
                        <div className="line" style={{ justifyContent: 'space-between', flexWrap: 'nowrap' }}>
                            <span className="cut" style={{ fontWeight: 560 }}>{isShown(state) ? t(`status.${state}`) : <span className="mono">{entry.type}</span>}</span>
                            <span className="quiet" style={{ fontSize: 13, whiteSpace: 'nowrap' }}><When at={entry.at} /></span>
                        </div>
                        <div className="quiet" style={{ fontSize: 13 }}>
                            {[actor === undefined ? undefined : t(actor), entry.attempt === undefined ? undefined : t('timeline.attempt', { attempt: entry.attempt }), entry.cause].filter((part) => part !== undefined).join(' · ')}
                        </div>
                        {entry.rule !== undefined && <div style={{ fontSize: 13 }}>{t('rule')}: <RuleName rule={entry.rule} /></div>}
                        {entry.error !== undefined && entry.rule === undefined && <div style={{ fontSize: 13, color: 'var(--st-red)' }}>{entry.error.title} <span className="mono">{entry.error.code}</span></div>}
                        {(entry.deliveries ?? []).map((delivery) => (
                            <div key={delivery.id} className="line" style={{ fontSize: 13, marginTop: 4 }}>
                                <StatusBadge state={delivery.state} size={14} />
                                <Link to="/webhooks/$endpointId/deliveries/$deliveryId" params={{ endpointId: delivery.endpoint_id, deliveryId: delivery.id }} className="quiet">{t('timeline.webhook', { count: delivery.attempts })}</Link>
                            </div>
                        ))}
                    </li>
                );
            })}
        </ol>
    );
}
