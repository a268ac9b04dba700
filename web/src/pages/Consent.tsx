import { Button } from '@mantine/core';
import { IconLock, IconPencilPlus } from '@tabler/icons-react';
import { Link, Outlet, useNavigate } from '@tanstack/react-router';
import { useMay } from '@/app/session';
import { EmptyState, Page } from '@/components/basics';
import { useT } from '@/i18n/i18n';

const tabs = [['/consent/ledger', 'consent.ledger'], ['/consent/look-up', 'consent.look_up'], ['/consent/suppressions', 'consent.suppressions'], ['/consent/notices', 'consent.notices'], ['/consent/settings', 'consent.settings']] as const;

/** Who allowed what, whom never to write to, and what people were told. */
export default function Consent() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    if (!may('consents:read'))
        return <Page title={t('nav.consent')}><EmptyState icon={IconLock} title={t('problem.forbidden')} text={t('problem.forbidden.text')} /></Page>;
    return (
        <Page title={t('nav.consent')} purpose={t('consent.purpose')} acts={<Button leftSection={<IconPencilPlus size={16} />} disabled={!may('consents:manage')} title={may('consents:manage') ? undefined : t('may.not')} onClick={() => { void navigate({ to: '/consent/record' }); }}>{t('consent.record')}</Button>}>
            <nav className="tabs" aria-label={t('nav.consent')}>
                {tabs.filter(([to]) => to !== '/consent/settings' || may('settings:read')).map(([to, word]) => <Link key={to} to={to} className="tab">{t(word)}</Link>)}
            </nav>
            <Outlet />
        </Page>
    );
}
