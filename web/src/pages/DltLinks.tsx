import { ActionIcon, Button, Tooltip } from '@mantine/core';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { IconFilterOff, IconLink, IconPlus, IconTrash } from '@tabler/icons-react';
import { getRouteApi, Outlet, useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import type { DltLink } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { FilterBar, TextFilter } from '@/components/FilterBar';
import { sayWithUndo } from '@/components/undo';
import { linksQuery, useStale } from '@/features/dlt/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/dlt/links');
const SOON_MS = 30 * 86_400_000;

export default function DltLinks() {
    const t = useT();
    const isMine = useMay()('dlt:manage');
    const navigate = useNavigate();
    const stale = useStale();
    const filter = route.useSearch();
    const list = useInfiniteQuery(linksQuery(filter));
    const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
    const isOn = filter.q !== undefined;
    const restore = useMutation({ mutationFn: ({ kind, value, expires_at }: DltLink) => unwrap(api.POST('/v1/dlt/links', { body: { kind, value, ...(expires_at === null ? {} : { expires_at }) } })), onSettled: stale });
    const remove = useMutation({
        mutationFn: (link: DltLink) => unwrap(api.DELETE('/v1/dlt/links/{dlt_link_id}', { params: { path: { dlt_link_id: link.id } } })),
        onSuccess: (_, link) => { sayWithUndo(t('dlt.link.removed'), t('dlt.undo'), () => { restore.mutate(link); }); }, onSettled: stale,
    });
    const add = isMine ? <Button variant="default" size="xs" mb={12} leftSection={<IconPlus size={14} />} onClick={() => { void navigate({ to: '/dlt/links/new', search: filter, resetScroll: false }); }}>{t('dlt.link.add')}</Button> : null;
    const columns: Column<DltLink>[] = [
        { id: 'value', title: t('dlt.link'), cell: (link) => <span className="mono" title={link.value}>{link.value}</span> },
        { id: 'kind', title: t('dlt.link.kind'), cell: (link) => t(`dlt.link.kind.${link.kind}`) },
        { id: 'ends', title: t('dlt.link.ends'), cell: (link) => <Ends at={link.expires_at} /> },
        { id: 'created', title: t('dlt.recorded'), cell: (link) => <When at={link.created_at} />, isEnd: true, isMinor: true },
        ...(isMine ? [{ id: 'acts', title: t('dlt.link.acts'), cell: (link: DltLink) => <Tooltip label={t('dlt.link.remove')}><ActionIcon variant="subtle" color="gray" aria-label={t('dlt.link.remove.one', { value: link.value })} disabled={remove.isPending} onClick={() => { remove.mutate(link); }}><IconTrash size={16} /></ActionIcon></Tooltip>, isEnd: true }] : []),
    ];
    return (
        <>
            {(rows.length !== 0 || isOn) && (
                <div className="line" style={{ justifyContent: 'space-between', alignItems: 'flex-start' }}>
                    <FilterBar isOn={isOn} onClear={() => { void navigate({ to: '/dlt/links', replace: true }); }}>
                        <TextFilter title={t('dlt.search')} value={filter.q ?? ''} onChange={(q) => { void navigate({ to: '/dlt/links', search: q === '' ? {} : { q }, replace: true }); }} />
                    </FilterBar>
                    {add}
                </div>
            )}
            {(remove.isError || restore.isError) && <Problem error={remove.error ?? restore.error} />}
            {list.isPending ? <RowsSkeleton count={4} /> : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : rows.length === 0 && isOn ? <EmptyState icon={IconFilterOff} title={t('dlt.none')} text={t('dlt.none.text')} />
                : rows.length === 0 ? <EmptyState icon={IconLink} title={t('dlt.links.empty')} text={t('dlt.links.empty.text')}>{add}</EmptyState>
                : <DataTable name="dlt-links" label={t('dlt.links')} columns={columns} rows={rows} rowId={(link) => link.id} hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />}
            <Outlet />
        </>
    );
}

function Ends({ at }: { at: string | null }) {
    const t = useT();
    if (at === null)
        return <span className="quiet">{t('dlt.link.never')}</span>;
    const left = Date.parse(at) - Date.now();
    return <span style={left < SOON_MS ? { color: left < 0 ? 'var(--st-red)' : 'var(--st-orange)', fontWeight: 540 } : undefined}>{left < 0 ? t('dlt.link.over') : left < SOON_MS ? t('dlt.link.soon') : ''} <When at={at} /></span>;
}
