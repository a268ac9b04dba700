import { Button } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { IconFilterOff, IconPlus, IconTemplate } from '@tabler/icons-react';
import { getRouteApi, Link, Outlet, useMatchRoute, useNavigate } from '@tanstack/react-router';
import type { DltTemplate } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { ChoiceFilter, FilterBar, TextFilter } from '@/components/FilterBar';
import { categories, kinds, states, type TemplateFilter } from '@/features/dlt/filter';
import { RegistryState } from '@/features/dlt/pieces';
import { everyHeader, templatesQuery } from '@/features/dlt/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/dlt/templates');

export default function DltTemplates() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const filter = route.useSearch();
    const list = useInfiniteQuery(templatesQuery(filter));
    const headers = useQuery(everyHeader);
    const open = useMatchRoute()({ to: '/dlt/templates/$templateId' });
    const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
    const isOn = Object.keys(filter).length !== 0;
    const go = (search: TemplateFilter) => { void navigate({ to: '/dlt/templates', search, replace: true, resetScroll: false }); };
    const openOne = (templateId: string) => { void navigate({ to: '/dlt/templates/$templateId', params: { templateId }, search: filter, resetScroll: false }); };
    const without = (name: keyof TemplateFilter): TemplateFilter => Object.fromEntries(Object.entries(filter).filter(([each]) => each !== name));
    const add = may('dlt:manage') ? <Button variant="default" size="xs" mb={12} leftSection={<IconPlus size={14} />} onClick={() => { openOne('new'); }}>{t('dlt.template.add')}</Button> : null;
    const columns: Column<DltTemplate>[] = [
        { id: 'name', title: t('dlt.name'), cell: (template) => <Link to="/dlt/templates/$templateId" params={{ templateId: template.id }} search={filter} className="row-link" resetScroll={false}>{template.name}</Link> },
        { id: 'state', title: t('dlt.state'), cell: (template) => <RegistryState state={template.state} isPaused={template.paused_reason !== null} /> },
        { id: 'text', title: t('dlt.text'), cell: (template) => <span className="quiet" title={template.text}>{template.text}</span>, isMinor: true },
        { id: 'category', title: t('dlt.category'), cell: (template) => { const category = categories.find((each) => each === template.category); return category === undefined ? t('dlt.kind.consent') : t(`dlt.category.${category}`); } },
        { id: 'headers', title: t('dlt.headers'), cell: (template) => template.headers.length === 0 ? <span className="quiet">–</span> : <span className="mono">{template.headers.slice(0, 3).join(', ')}{template.headers.length > 3 && '…'}</span>, isMinor: true },
        { id: 'id', title: t('dlt.template.id'), cell: (template) => <span className="mono">{template.registered_id}</span>, isHidden: true },
        { id: 'updated', title: t('updated'), cell: (template) => <When at={template.updated_at} />, isEnd: true, isMinor: true },
    ];
    return (
        <>
            {(rows.length !== 0 || isOn) && (
                <div className="line" style={{ justifyContent: 'space-between', alignItems: 'flex-start' }}>
                    <FilterBar isOn={isOn} onClear={() => { go({}); }}>
                        <TextFilter title={t('dlt.search')} value={filter.q ?? ''} help={t('dlt.templates.search.help')} onChange={(q) => { go({ ...without('q'), ...(q === '' ? {} : { q }) }); }} />
                        <ChoiceFilter title={t('dlt.state')} value={filter.state === undefined ? [] : [filter.state]} options={states.map((value) => ({ value, label: <RegistryState state={value} /> }))} onChange={([value]) => { const state = states.find((each) => each === value); go({ ...without('state'), ...(state === undefined ? {} : { state }) }); }} />
                        <ChoiceFilter title={t('dlt.kind')} value={filter.kind === undefined ? [] : [filter.kind]} options={kinds.map((value) => ({ value, label: t(`dlt.kind.${value}`) }))} onChange={([value]) => { const kind = kinds.find((each) => each === value); go({ ...without('kind'), ...(kind === undefined ? {} : { kind }) }); }} />
                        <ChoiceFilter title={t('dlt.header')} value={filter.header === undefined ? [] : [filter.header]} options={(headers.data ?? []).map((header) => ({ value: header.id, label: <span className="mono">{header.name}</span> }))} onChange={([header]) => { go({ ...without('header'), ...(header === undefined ? {} : { header }) }); }} />
                    </FilterBar>
                    {add}
                </div>
            )}
            {list.isPending ? <RowsSkeleton count={6} /> : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : rows.length === 0 && isOn ? <EmptyState icon={IconFilterOff} title={t('dlt.none')} text={t('dlt.none.text')} />
                : rows.length === 0 ? <EmptyState icon={IconTemplate} title={t('dlt.templates.empty')} text={t('dlt.templates.empty.text')}>{add}</EmptyState>
                : <DataTable name="dlt-templates" label={t('dlt.templates')} columns={columns} rows={rows} rowId={(template) => template.id} chosen={open === false ? undefined : open.templateId} onOpen={(template) => { openOne(template.id); }} hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />}
            <Outlet />
        </>
    );
}
