import { ActionIcon, Button, Checkbox, Menu, Tooltip } from '@mantine/core';
import { useHotkeys, useMediaQuery } from '@mantine/hooks';
import { IconColumns3 } from '@tabler/icons-react';
import { columnVisibilityFeature, tableFeatures, useTable, type ColumnDef } from '@tanstack/react-table';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useLayoutEffect, useRef, useState, type ReactNode } from 'react';
import { useLanguage } from '@/i18n/i18n';

export interface Column<Row> {
    id: string;
    title: string;
    cell: (row: Row) => ReactNode;
    /** Numbers stand at the end. */
    isEnd?: boolean;
    /** Left out on a phone, where two facts matter. */
    isMinor?: boolean;
    /** Not shown until it is chosen. */
    isHidden?: boolean;
}

interface Props<Row> {
    /** Under which the choice of columns is kept. */
    name: string;
    label: string;
    columns: Column<Row>[];
    rows: Row[];
    rowId: (row: Row) => string;
    chosen?: string | undefined;
    onOpen?: ((row: Row) => void) | undefined;
    hasMore?: boolean;
    isLoadingMore?: boolean;
    onMore?: () => void;
    foot?: ReactNode;
    /** With it rows can be picked: what can be done with those that are. */
    bulk?: (picked: Row[], clear: () => void) => ReactNode;
}

const features = tableFeatures({ columnVisibilityFeature });
const ROW = 41;

function keptColumns(name: string): Record<string, boolean> {
    try {
        const kept: unknown = JSON.parse(localStorage.getItem(`harkara-columns-${name}`) ?? '{}');
        return typeof kept === 'object' && kept !== null ? kept as Record<string, boolean> : {};
    } catch {
        return {};
    }
}

/** A list that opens what is in it: by a click, or by j, k and Enter. Of many rows only those in view are made. */
export function DataTable<Row extends object>({ name, label, columns, rows, rowId, chosen, onOpen, hasMore = false, isLoadingMore = false, onMore, foot, bulk }: Props<Row>) {
    const { t, intl } = useLanguage();
    const [visibility, setVisibility] = useState<Record<string, boolean>>(() => ({ ...Object.fromEntries(columns.filter((column) => column.isHidden).map((column) => [column.id, false])), ...keptColumns(name) }));
    const [at, setShownAt] = useState(-1);
    const atNow = useRef(-1); /* keys may come faster than the page is drawn */
    const setAt = (next: number) => { atNow.current = next; setShownAt(next); };
    const [offset, setOffset] = useState(0);
    const [pickedIds, setPicked] = useState<ReadonlySet<string>>(new Set());
    const body = useRef<HTMLTableSectionElement>(null);
    const isPhone = useMediaQuery('(max-width: 768px)');
    const byId = new Map(columns.map((column) => [column.id, column]));
    const table = useTable({
        features,
        columns: columns.map((column): ColumnDef<typeof features, Row> => ({ id: column.id, header: column.title })),
        data: rows,
        state: { columnVisibility: visibility },
        getRowId: rowId,
    });
    const shown = table.getVisibleLeafColumns().map((column) => byId.get(column.id)).filter((column) => column !== undefined);
    const isVirtual = rows.length > 120 && !isPhone;
    const virtual = useWindowVirtualizer({ count: rows.length, estimateSize: () => ROW, overscan: 12, scrollMargin: offset, enabled: isVirtual });
    useLayoutEffect(() => { setOffset(body.current?.offsetTop ?? 0); }, [rows.length]);

    const picked = bulk === undefined ? [] : rows.filter((row) => pickedIds.has(rowId(row)));
    const clear = () => { setPicked(new Set()); };
    function pick(id: string) {
        const next = new Set(pickedIds);
        if (!next.delete(id))
            next.add(id);
        setPicked(next);
    }
    function move(by: number) {
        const open = chosen === undefined ? -1 : rows.findIndex((row) => rowId(row) === chosen);
        const next = Math.min(Math.max((open === -1 ? atNow.current : open) + by, 0), rows.length - 1);
        const row = rows[next];
        setAt(next);
        if (open !== -1 && row !== undefined) /* beside an open sheet the next one opens */
            onOpen?.(row);
        if (isVirtual)
            virtual.scrollToIndex(next);
        requestAnimationFrame(() => { body.current?.querySelector<HTMLElement>(`[data-index="${next}"]`)?.focus(); });
    }
    useHotkeys([
        ['j', () => { move(1); }], ['k', () => { move(-1); }],
        ['x', () => { const row = rows[atNow.current]; if (bulk !== undefined && row !== undefined) pick(rowId(row)); }],
    ]);

    const items = isVirtual ? virtual.getVirtualItems().map((item) => item.index) : rows.map((_, i) => i);
    const first = items[0] ?? 0, last = items.at(-1) ?? -1;
    return (
        <>
            <div className="table-wrap" role="region" aria-label={label} tabIndex={0}>
                <table className="table" aria-rowcount={hasMore ? -1 : rows.length}>
                    <thead><tr>{bulk !== undefined && <th scope="col" className="pick"><Checkbox size="xs" aria-label={t('table.pick_all')} checked={picked.length !== 0 && picked.length === rows.length} indeterminate={picked.length !== 0 && picked.length !== rows.length} onChange={() => { setPicked(new Set(picked.length === rows.length ? [] : rows.map(rowId))); }} /></th>}{shown.map((column) => <th key={column.id} scope="col" className={column.isEnd === true ? 'end' : undefined}>{column.title}</th>)}</tr></thead>
                    <tbody ref={body}>
                        {isVirtual && first > 0 && <tr style={{ height: first * ROW }} aria-hidden><td colSpan={shown.length + (bulk === undefined ? 0 : 1)} style={{ border: 0 }} /></tr>}
                        {items.map((i) => {
                            const row = rows[i];
                            if (row === undefined)
                                return null;
                            const id = rowId(row);
                            return (
                                <tr key={id} data-index={i} data-link={onOpen !== undefined} data-chosen={chosen === id} data-picked={pickedIds.has(id)} tabIndex={onOpen === undefined ? undefined : i === Math.max(at, 0) ? 0 : -1}
                                    onFocus={() => { setAt(i); }}
                                    onClick={(event) => { if (onOpen !== undefined && (event.target as HTMLElement).closest('a,button,input,label') === null) onOpen(row); }}
                                    onKeyDown={(event) => { if (event.key === 'Enter' && event.target === event.currentTarget) onOpen?.(row); }}>
                                    {bulk !== undefined && <td className="pick"><Checkbox size="xs" tabIndex={-1} aria-label={t('table.pick')} checked={pickedIds.has(id)} onChange={() => { pick(id); }} /></td>}
                                    {shown.map((column, c) => <td key={column.id} className={[c === 0 ? 'first' : '', column.isEnd === true ? 'end' : ''].join(' ')} data-minor={column.isMinor === true}>{column.cell(row)}</td>)}
                                </tr>
                            );
                        })}
                        {isVirtual && last < rows.length - 1 && <tr style={{ height: (rows.length - 1 - last) * ROW }} aria-hidden><td colSpan={shown.length + (bulk === undefined ? 0 : 1)} style={{ border: 0 }} /></tr>}
                    </tbody>
                </table>
            </div>
            {bulk !== undefined && picked.length !== 0 && (
                <div className="bulk" role="region" aria-label={t('table.picked', { count: picked.length })}>
                    <span className="number" aria-live="polite">{t('table.picked', { count: picked.length })}</span>
                    <span className="line">{bulk(picked, clear)}<Button variant="subtle" color="gray" size="xs" onClick={clear}>{t('filter.clear')}</Button></span>
                </div>
            )}
            <div className="table-foot">
                <span className="number">{foot ?? t(hasMore ? 'table.first' : 'table.all', { count: rows.length, shown: intl.formatNumber(rows.length) })}</span>
                <span className="line">
                    {hasMore && <Button variant="default" size="xs" loading={isLoadingMore} onClick={onMore}>{t('table.more')}</Button>}
                    {!isPhone && columns.length > 3 && (
                        <Menu position="top-end">
                            <Menu.Target><Tooltip label={t('table.columns')}><ActionIcon variant="subtle" color="gray" aria-label={t('table.columns')}><IconColumns3 size={16} /></ActionIcon></Tooltip></Menu.Target>
                            <Menu.Dropdown>
                                {columns.slice(1).map((column) => {
                                    const isOn = visibility[column.id] !== false;
                                    return (
                                        <Menu.CheckboxItem key={column.id} checked={isOn} onChange={() => {
                                            const next = { ...visibility, [column.id]: !isOn };
                                            setVisibility(next);
                                            localStorage.setItem(`harkara-columns-${name}`, JSON.stringify(next));
                                        }}>{column.title}</Menu.CheckboxItem>
                                    );
                                })}
                            </Menu.Dropdown>
                        </Menu>
                    )}
                </span>
            </div>
        </>
    );
}
