import { IconAlertTriangle, IconClock, IconHelpCircle, IconInfoCircle } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { Channel, Message } from '@/api/types';
import { useMay } from '@/app/session';
import { useLanguage } from '@/i18n/i18n';
import { whyOf, whyValues, type Why } from './why';

const looks = {
    waits: [IconClock, 'var(--st-amber)'], doubt: [IconHelpCircle, 'var(--st-orange)'], bad: [IconAlertTriangle, 'var(--st-red)'], over: [IconInfoCircle, 'var(--st-grey)'],
} as const;

function Go({ to, channel }: { to: NonNullable<Why['go']>; channel: string }) {
    const { t } = useLanguage();
    const may = useMay();
    if (to === 'channel')
        return may('channels:read') ? <Link to="/channels/$channelId" params={{ channelId: channel }}>{t('why.go.channel')}</Link> : null;
    if (to === 'templates')
        return may('templates:read') ? <Link to="/templates">{t('why.go.templates')}</Link> : null;
    return may('settings:read') ? <Link to="/settings">{t('why.go.settings')}</Link> : null;
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
                {message.error !== null && <div className="quiet" lang="en">{message.error.title} <span className="mono">{message.error.code}</span></div>}
                {why.advice !== undefined && <div>{t(why.advice)}</div>}
                {why.go !== undefined && <div><Go to={why.go} channel={message.channel_id} /></div>}
            </div>
        </section>
    );
}
