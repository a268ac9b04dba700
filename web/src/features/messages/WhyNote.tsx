import { IconAlertTriangle, IconBan, IconClock, IconHelpCircle, IconInfoCircle } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { Channel, Message } from '@/api/types';
import { useMay } from '@/app/session';
import { useLanguage } from '@/i18n/i18n';
import { whyOf, whyValues, type Why } from './why';

const looks = {
    waits: [IconClock, 'var(--st-amber)'], doubt: [IconHelpCircle, 'var(--st-orange)'], bad: [IconAlertTriangle, 'var(--st-red)'], blocked: [IconBan, 'var(--st-violet)'], over: [IconInfoCircle, 'var(--st-grey)'],
} as const;

function Go({ to, channel }: { to: NonNullable<Why['go']>; channel: string }) {
    const { t } = useLanguage();
    const may = useMay();
    if (to === 'channel')
        return may('channels:read') ? <Link to="/channels/$channelId" params={{ channelId: channel }}>{t('why.go.channel')}</Link> : null;
    if (to === 'templates')
        return may('templates:read') ? <Link to="/templates">{t('why.go.templates')}</Link> : null;
    if (to === 'consent')
        return may('consents:read') ? <Link to="/consent/look-up">{t('receipt.go.consent')}</Link> : null;
    if (to === 'dlt')
        return may('dlt:read') ? <Link to="/dlt/try">{t('receipt.go.dlt')}</Link> : null;
    if (to === 'usage')
        return may('usage:read') ? <Link to="/usage">{t('receipt.go.usage')}</Link> : null;
    if (!may('settings:read'))
        return null;
    return to === 'policy' ? <Link to="/policy">{t('receipt.go.policy')}</Link> : <Link to="/settings">{t('why.go.settings')}</Link>;
}

/** In words: why the message stands where it stands, what the provider said, and the next step. */
export function WhyNote({ message, channel }: { message: Message; channel: Channel | undefined }) {
    const { t, intl } = useLanguage();
    const why = whyOf(message, channel);
    if (why === null)
        return null;
    const [Mark, colour] = looks[why.tone];
    const when = (at: string) => intl.formatDate(at, { dateStyle: 'medium', timeStyle: 'short' });
    return (
        <section className="note why" aria-label={t('why.label')}>
            <Mark size={18} aria-hidden style={{ flex: 'none', color: colour, marginTop: 1 }} />
            <div className="grow stack" style={{ gap: 4 }}>
                <div style={{ fontWeight: 560 }}>{t(why.what, whyValues(message, when, why))}</div>
                {why.said !== undefined && <div className="quiet" lang="en">{why.said}</div>}
                {message.error !== null && message.status !== 'blocked' && <div className="quiet" lang="en">{message.error.title} <span className="mono">{message.error.code}</span></div>}
                {why.advice !== undefined && <div>{t(why.advice)}</div>}
                {why.go !== undefined && <div><Go to={why.go} channel={message.channel_id} /></div>}
            </div>
        </section>
    );
}
