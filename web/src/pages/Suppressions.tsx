import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconBan, IconFilterOff, IconUpload } from '@tabler/icons-react';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { Suppression } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { ChoiceFilter, FilterBar } from '@/components/FilterBar';
import { channelNames, readSuppressionFilter, reasons, suppressedKinds } from '@/features/consent/filter';
import { Address, By, Kind, RevealButton, RevealNote, useReveal } from '@/features/consent/Pieces';
import { suppressionPages } from '@/features/consent/queries';
import { SuppressionAdd } from '@/features/consent/SuppressionAdd';
import { SuppressionEnd } from '@/features/consent/SuppressionEnd';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/consent/suppressions');

/** Whom never to write to: it survives erasure, and no setting opens it. */
export default function Suppressions() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const filter = route.useSearch();
    const reveal = useReveal();
    const [isAdding, setAdding] = useState(false);
    const list = useInfiniteQuery(suppressionPages(filter, reveal.isRevealed));
    const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
    const isFiltered = Object.keys(filter).length !== 0;
    const set = (change: Record<string, unknown>) => { void navigate({ to: '/consent/suppressions', search: readSuppressionFilter({ ...filter, ...change }), replace: true }); };
    const add = may('consents:manage') ? <Button variant="default" size="xs" leftSection={<IconBan size={15} aria-hidden />} onClick={() => { setAdding(true); }}>{t('consent.suppression.add')}</Button> : null;
    const columns: Column<Suppression>[] = [
        { id: 'number', title: t('consent.number'), cell: (row) => <Address address={row.address} /> },
        { id: 'reason', title: t('consent.suppression.reason'), cell: (row) => t(`consent.suppression.reason.${row.reason}`) },
        { id: 'scope', title: t('consent.suppression.scope'), cell: (row) => t(`consent.suppression.scope.${row.scope}`) },
        { id: 'channel', title: t('consent.channel'), cell: (row) => <Kind of={row.channel} />, isMinor: true },
        { id: 'by', title: t('consent.recorded_by'), cell: (row) => <By by={row.added_by} />, isMinor: true },
        { id: 'at', title: t('consent.suppression.at'), cell: (row) => <When at={row.at} /> },
        { id: 'acts', title: t('acts'), cell: (row) => <SuppressionEnd row={row} />, isEnd: true },
    ];
    return (
        <>
            <div className="line" style={{ justifyContent: 'space-between', alignItems: 'flex-start' }}>
                <FilterBar isOn={isFiltered} onClear={() => { void navigate({ to: '/consent/suppressions', search: {}, replace: true }); }}>
                    <ChoiceFilter title={t('consent.suppression.reason')} value={filter.reason === undefined ? [] : [filter.reason]} options={reasons.map((value) => ({ value, label: t(`consent.suppression.reason.${value}`) }))} onChange={([reason]) => { set({ reason }); }} />
                    <ChoiceFilter title={t('consent.channel')} value={filter.channel === undefined ? [] : [filter.channel]} options={suppressedKinds.map((value) => ({ value, label: value === 'any' ? t('consent.channel.any') : channelNames[value] }))} onChange={([channel]) => { set({ channel }); }} />
                    {rows.length !== 0 && <RevealButton {...reveal} />}
                </FilterBar>
                {add !== null && <span className="line" style={{ marginBottom: 12 }}><Button variant="default" size="xs" leftSection={<IconUpload size={15} aria-hidden />} onClick={() => { void navigate({ to: '/consent/import', search: { of: 'suppressions' } }); }}>{t('consent.import')}</Button>{add}</span>}
            </div>
            <RevealNote isRevealed={reveal.isRevealed} />
            {list.isPending ? <RowsSkeleton count={6} />
                : list.isError && rows.length === 0 ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : rows.length === 0 ? <EmptyState icon={isFiltered ? IconFilterOff : IconBan} title={t(isFiltered ? 'consent.none' : 'consent.suppression.empty')} text={t(isFiltered ? 'consent.none.text' : 'consent.suppression.empty.text')} />
                : <DataTable name="suppressions" label={t('consent.suppressions')} columns={columns} rows={rows} rowId={(row) => row.id} hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />}
            <SuppressionAdd isOpen={isAdding} onClose={() => { setAdding(false); }} />
        </>
    );
}
