import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconFileImport, IconLock, IconPlus, IconRubberStamp } from '@tabler/icons-react';
import { Link, Outlet, useMatchRoute, useNavigate } from '@tanstack/react-router';
import { useMay } from '@/app/session';
import { EmptyState, Page, Problem, RowsSkeleton } from '@/components/basics';
import { dltQuery } from '@/features/dlt/queries';
import { useT } from '@/i18n/i18n';

const tabs = [['/dlt/entities', 'dlt.entities'], ['/dlt/headers', 'dlt.headers'], ['/dlt/templates', 'dlt.templates'], ['/dlt/links', 'dlt.links'], ['/dlt/try', 'dlt.try']] as const;

/** India's registry, as this workspace has it. */
export default function Dlt() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const isSeen = may('dlt:read'), isMine = may('dlt:manage');
    const overview = useQuery({ ...dltQuery, enabled: isSeen });
    const isRecording = useMatchRoute()({ to: '/dlt/entities/$entityId' }) !== false;
    if (!isSeen)
        return <Page title={t('nav.dlt')}><EmptyState icon={IconLock} title={t('problem.forbidden')} text={t('problem.forbidden.text')} /></Page>;
    if (!overview.isSuccess)
        return <Page title={t('nav.dlt')} purpose={t('dlt.purpose')}>{overview.isPending ? <RowsSkeleton count={5} /> : <Problem error={overview.error} retry={() => { void overview.refetch(); }} />}</Page>;
    if (overview.data.entities.length === 0)
        return (
            <Page title={t('nav.dlt')} purpose={t('dlt.purpose')}>
                <EmptyState icon={IconRubberStamp} title={t('dlt.empty')} text={t('dlt.empty.text')}>
                    <Button leftSection={<IconPlus size={16} />} disabled={!isMine} title={isMine ? undefined : t('may.not')} onClick={() => { void navigate({ to: '/dlt/entities/$entityId', params: { entityId: 'new' } }); }}>{t('dlt.entity.add')}</Button>
                </EmptyState>
                {isRecording && <Outlet />}
            </Page>
        );
    return (
        <Page title={t('nav.dlt')} purpose={t('dlt.purpose')} acts={<Button leftSection={<IconFileImport size={16} />} disabled={!isMine} title={isMine ? undefined : t('may.not')} onClick={() => { void navigate({ to: '/dlt/import' }); }}>{t('dlt.import')}</Button>}>
            <nav className="tabs" aria-label={t('nav.dlt')}>
                {tabs.map(([to, word]) => <Link key={to} to={to} className="tab">{t(word)}{to === '/dlt/links' && overview.data.links.ending > 0 && <span className="tab-mark">{overview.data.links.ending}<span className="unseen"> {t('dlt.links.ending')}</span></span>}</Link>)}
            </nav>
            <Outlet />
        </Page>
    );
}
