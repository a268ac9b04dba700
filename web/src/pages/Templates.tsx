import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconFilterOff, IconPlus, IconTemplate } from '@tabler/icons-react';
import { Link, Outlet, useMatchRoute, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { Template } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { ChoiceFilter, FilterBar } from '@/components/FilterBar';
import { StatusBadge } from '@/components/status';
import { templatesQuery, type TemplateState } from '@/features/templates/queries';
import { useT } from '@/i18n/i18n';

const states: TemplateState[] = ['approved', 'pending', 'rejected', 'paused', 'disabled', 'refused', 'archived'];

export default function Templates() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const [state, setState] = useState<TemplateState | undefined>();
    const list = useInfiniteQuery(templatesQuery(state));
    const open = useMatchRoute()({ to: '/templates/$templateId' });
    const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
    const isMine = may('templates:manage');
    const add = <Button leftSection={<IconPlus size={16} />} disabled={!isMine} title={isMine ? undefined : t('may.not')} onClick={() => { void navigate({ to: '/new-template' }); }}>{t('templates.add')}</Button>;
    const columns: Column<Template>[] = [
        { id: 'name', title: t('keys.name'), cell: (template) => <Link to="/templates/$templateId" params={{ templateId: template.id }} className="row-link" resetScroll={false}>{template.name}</Link> },
        { id: 'state', title: t('messages.status'), cell: (template) => <StatusBadge state={template.state} /> },
        { id: 'reason', title: t('templates.reason'), cell: (template) => template.state_reason ?? template.error?.title ?? <span className="quiet">–</span>, isMinor: true },
        { id: 'category', title: t('messages.category'), cell: (template) => template.category.toLowerCase(), isMinor: true },
        { id: 'language', title: t('templates.language'), cell: (template) => <span className="mono">{template.language}</span>, isMinor: true },
        { id: 'updated', title: t('updated'), cell: (template) => <When at={template.updated_at} />, isEnd: true },
    ];
    return (
        <>
            <Page title={t('nav.templates')} purpose={t('templates.purpose')} acts={rows.length === 0 && state === undefined ? undefined : add}>
                {(rows.length !== 0 || state !== undefined) && (
                    <FilterBar isOn={state !== undefined} onClear={() => { setState(undefined); }}>
                        <ChoiceFilter title={t('messages.status')} value={state === undefined ? [] : [state]} options={states.map((value) => ({ value, label: <StatusBadge state={value} /> }))} onChange={([value]) => { setState(states.find((each) => each === value)); }} />
                    </FilterBar>
                )}
                {list.isPending ? <RowsSkeleton count={6} /> : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                    : rows.length === 0 && state !== undefined ? <EmptyState icon={IconFilterOff} title={t('templates.none')} text={t('messages.none.text')} />
                    : rows.length === 0 ? <EmptyState icon={IconTemplate} title={t('templates.empty')} text={t('templates.empty.text')}>{add}</EmptyState>
                    : <DataTable name="templates" label={t('nav.templates')} columns={columns} rows={rows} rowId={(template) => template.id} chosen={open === false ? undefined : open.templateId} onOpen={(template) => { void navigate({ to: '/templates/$templateId', params: { templateId: template.id }, resetScroll: false }); }} hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />}
            </Page>
            <Outlet />
        </>
    );
}
