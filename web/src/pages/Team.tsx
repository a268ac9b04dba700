import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconLock, IconUserPlus } from '@tabler/icons-react';
import { Link, Outlet, useNavigate } from '@tanstack/react-router';
import { useMay } from '@/app/session';
import { EmptyState, Page } from '@/components/basics';
import { reviewsQuery } from '@/features/team/queries';
import { useT } from '@/i18n/i18n';

const tabs = [['/team/people', 'team.people'], ['/team/invitations', 'team.invitations'], ['/team/teams', 'team.teams'], ['/team/roles', 'team.roles'], ['/team/reviews', 'team.reviews']] as const;

/** Who works here, as what, and whether that is still right. */
export default function Team() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const isSeen = may('people:read');
    const reviews = useInfiniteQuery({ ...reviewsQuery, enabled: isSeen });
    const isOverdue = reviews.data?.pages.some((page) => page.data.some((review) => review.is_overdue)) ?? false;
    if (!isSeen)
        return <Page title={t('nav.team')}><EmptyState icon={IconLock} title={t('problem.forbidden')} text={t('problem.forbidden.text')} /></Page>;
    return (
        <Page title={t('nav.team')} purpose={t('team.purpose')} acts={<Button leftSection={<IconUserPlus size={16} />} disabled={!may('people:manage')} title={may('people:manage') ? undefined : t('may.not')} onClick={() => { void navigate({ to: '/team/invite' }); }}>{t('team.invite')}</Button>}>
            <nav className="tabs" aria-label={t('nav.team')}>
                {tabs.map(([to, word]) => <Link key={to} to={to} className="tab">{t(word)}{to === '/team/reviews' && isOverdue && <span className="tab-mark">{t('status.overdue')}</span>}</Link>)}
            </nav>
            <Outlet />
        </Page>
    );
}
