import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconFileCertificate, IconPlus } from '@tabler/icons-react';
import { Link, Outlet, useMatchRoute, useNavigate } from '@tanstack/react-router';
import type { ConsentNoticeHead } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { noticePages } from '@/features/consent/queries';
import { useT } from '@/i18n/i18n';

/** What people are told, by version. */
export default function ConsentNotices() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const list = useInfiniteQuery(noticePages);
    const open = useMatchRoute()({ to: '/consent/notices/$noticeId' });
    const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
    const add = may('consents:manage') ? <Button variant="default" size="xs" leftSection={<IconPlus size={15} aria-hidden />} onClick={() => { void navigate({ to: '/consent/new-notice' }); }}>{t('consent.notice.add')}</Button> : null;
    const columns: Column<ConsentNoticeHead>[] = [
        { id: 'name', title: t('consent.notice.name'), cell: (notice) => <Link to="/consent/notices/$noticeId" params={{ noticeId: notice.id }} className="row-link" resetScroll={false}>{notice.name}</Link> },
        { id: 'version', title: t('consent.notice.version'), cell: (notice) => <span className="number">{notice.version}</span> },
        { id: 'language', title: t('consent.language'), cell: (notice) => notice.language },
        { id: 'hash', title: t('consent.notice.hash'), cell: (notice) => <span className="mono">{notice.sha256.slice(0, 12)}…</span>, isMinor: true },
        { id: 'created', title: t('consent.notice.created'), cell: (notice) => <When at={notice.created_at} />, isEnd: true },
    ];
    return (
        <>
            {list.isPending ? <RowsSkeleton count={4} />
                : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : rows.length === 0 ? <EmptyState icon={IconFileCertificate} title={t('consent.notice.empty')} text={t('consent.notice.empty.text')}>{add}</EmptyState>
                : <>
                    <div className="line" style={{ justifyContent: 'flex-end', marginBottom: 12 }}>{add}</div>
                    <DataTable name="notices" label={t('consent.notices')} columns={columns} rows={rows} rowId={(notice) => notice.id} chosen={open === false ? undefined : open.noticeId} onOpen={(notice) => { void navigate({ to: '/consent/notices/$noticeId', params: { noticeId: notice.id }, resetScroll: false }); }}
                        hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />
                </>}
            <Outlet />
        </>
    );
}
