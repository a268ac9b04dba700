import { useT } from '@/i18n/i18n';
import type { SmsConnector } from '@/api/types';
import { When } from '@/components/basics';
import { StatusBadge } from '@/components/status';
import { linkState, whyOf } from './health';

/** Why something is not as it should be, in plain words. */
export function Why({ detail }: { detail: string | null }) {
    const t = useT();
    const why = whyOf(detail);
    return why === null ? null : <>{'word' in why ? t(why.word, why.values) : why.told}</>;
}

/** Each link as it was last told: its state and why, and how much is on its way. */
export function Links({ of }: { of: SmsConnector }) {
    const t = useT();
    return (
        <ul className="rows card" aria-label={t('sms.links')}>
            {of.links.map((link) => {
                const state = linkState(link);
                const isBound = state === 'bound';
                return (
                    <li key={link.number} style={{ alignItems: 'flex-start', flexWrap: 'wrap', gap: '4px 24px' }}>
                        <div style={{ flex: '0 0 136px' }}><div style={{ fontWeight: 540 }}>{t(`sms.link.${link.kind}`)}</div><div className="quiet number" style={{ fontSize: 12.5 }}>{t('sms.link.number', { number: link.number + 1 })}</div></div>
                        <div style={{ flex: '0 0 150px' }}><StatusBadge state={state} /><div className="quiet" style={{ fontSize: 12.5 }}>{t('sms.link.since')} <When at={link.since} /></div></div>
                        <div style={{ flex: '1 1 240px', minWidth: 0 }}>
                            {isBound && link.kind !== 'receiver' && <InFlight count={link.in_flight} window={of.window} />}
                            {isBound && link.kind === 'receiver' && <span className="quiet">{t('sms.link.receives')}</span>}
                            {state === 'stale' && <span>{t('sms.stale')}</span>}
                            {!isBound && state !== 'stale' && <span style={{ overflowWrap: 'anywhere' }}><Why detail={link.detail} /></span>}
                            {state === 'waiting' && link.next_try_at !== null && <div className="quiet" style={{ fontSize: 12.5 }}>{t('sms.link.next')} <When at={link.next_try_at} /></div>}
                        </div>
                    </li>
                );
            })}
        </ul>
    );
}

function InFlight({ count, window }: { count: number; window: number }) {
    const t = useT();
    return (
        <div style={{ maxWidth: 240 }}>
            <div className="number" style={{ fontSize: 13, marginBottom: 4 }}>{t('sms.link.in_flight', { count, window })}</div>
            <div className="meter" aria-hidden data-high={count >= window}><div style={{ width: `${Math.min(100, count / window * 100)}%` }} /></div>
        </div>
    );
}
