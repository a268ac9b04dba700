import { Link } from '@tanstack/react-router';
import { useMay } from '@/app/session';
import { useT } from '@/i18n/i18n';

const tabs = [['/channels', 'sms.tab.senders', 'channels:read'], ['/channels/operators', 'sms.tab.operators', 'channels:read'], ['/channels/routes', 'sms.tab.routes', 'channels:read'], ['/channels/preview', 'sms.tab.preview', 'messages:send']] as const;

/** The pages about what messages leave by. */
export function ChannelTabs() {
    const t = useT();
    const may = useMay();
    return <nav className="tabs" aria-label={t('nav.channels')}>{tabs.filter(([, , permission]) => may(permission)).map(([to, word]) => <Link key={to} to={to} className="tab" activeOptions={{ exact: to === '/channels' }}>{t(word)}</Link>)}</nav>;
}
