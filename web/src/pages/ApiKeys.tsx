import { Button, Menu, ActionIcon, Tooltip } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { IconDots, IconKey, IconPencil, IconPlus, IconTrash } from '@tabler/icons-react';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { ApiKey } from '@/api/types';
import { EmptyState, Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { ConfirmByName } from '@/components/secrets';
import { StatusBadge } from '@/components/status';
import { say } from '@/components/undo';
import { apiKeysQuery, keyState } from '@/features/keys/queries';
import { useT } from '@/i18n/i18n';

export default function ApiKeys() {
    const t = useT();
    const navigate = useNavigate();
    const client = useQueryClient();
    const list = useInfiniteQuery(apiKeysQuery);
    const [ending, setEnding] = useState<ApiKey | null>(null);
    const revoke = useMutation({
        mutationFn: (id: string) => unwrap(api.DELETE('/v1/api-keys/{key_id}', { params: { path: { key_id: id } } })),
        onSuccess: () => { setEnding(null); say(t('keys.revoked')); return client.invalidateQueries({ queryKey: keys.apiKeys.all }); },
    });
    const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
    const create = <Button leftSection={<IconPlus size={16} />} onClick={() => { void navigate({ to: '/api-keys/new' }); }}>{t('keys.create')}</Button>;
    const columns: Column<ApiKey>[] = [
        { id: 'name', title: t('keys.name'), cell: (key) => <Link to="/api-keys/$keyId" params={{ keyId: key.id }} className="row-link">{key.name}</Link> },
        { id: 'state', title: t('messages.status'), cell: (key) => <StatusBadge state={keyState(key)} /> },
        { id: 'key', title: t('keys.key'), cell: (key) => <span className="mono quiet">hk_{key.mode}_…{key.last_four}</span> },
        { id: 'scopes', title: t('keys.scopes'), cell: (key) => <Tooltip label={key.scopes.join(', ')} multiline maw={360}><span tabIndex={0}>{t('keys.scopes.count', { count: key.scopes.length })}</span></Tooltip>, isMinor: true },
        { id: 'from', title: t('keys.from'), cell: (key) => key.allowed_cidrs.length === 0 ? <span className="quiet">{t('keys.from.any')}</span> : <span className="mono">{key.allowed_cidrs.join(', ')}</span>, isMinor: true },
        { id: 'used', title: t('keys.used'), cell: (key) => <><When at={key.last_used_at} none={t('keys.used.never')} />{key.last_used_from !== null && <span className="mono quiet"> {key.last_used_from}</span>}</> },
        { id: 'expires', title: t('keys.expires'), cell: (key) => <When at={key.expires_at} none={t('keys.expires.never')} />, isMinor: true },
        { id: 'acts', title: t('acts'), isEnd: true, cell: (key) => key.revoked_at !== null ? null : (
            <Menu position="bottom-end"><Menu.Target><ActionIcon variant="subtle" color="gray" aria-label={t('acts.of', { name: key.name })}><IconDots size={16} /></ActionIcon></Menu.Target>
                <Menu.Dropdown><Menu.Item leftSection={<IconPencil size={15} aria-hidden />} onClick={() => { void navigate({ to: '/api-keys/$keyId', params: { keyId: key.id } }); }}>{t('keys.edit')}</Menu.Item><Menu.Item color="red" leftSection={<IconTrash size={15} aria-hidden />} onClick={() => { setEnding(key); }}>{t('keys.revoke')}</Menu.Item></Menu.Dropdown></Menu>) },
    ];
    return (
        <Page title={t('nav.keys')} purpose={t('keys.purpose')} acts={rows.length === 0 ? undefined : create}>
            {list.isPending ? <RowsSkeleton count={5} />
                : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : rows.length === 0 ? <EmptyState icon={IconKey} title={t('keys.empty')} text={t('keys.empty.text')}>{create}<Link to="/">{t('notfound.home')}</Link></EmptyState>
                : <DataTable name="keys" label={t('nav.keys')} columns={columns} rows={rows} rowId={(key) => key.id} onOpen={(key) => { void navigate({ to: '/api-keys/$keyId', params: { keyId: key.id } }); }} hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />}
            <ConfirmByName isOpen={ending !== null} title={t('keys.revoke')} text={t('keys.revoke.text')} name={ending?.name ?? ''} act={t('keys.revoke')} isBusy={revoke.isPending} onClose={() => { setEnding(null); }} onConfirm={() => { if (ending !== null) revoke.mutate(ending.id); }}>
                {revoke.isError && <Problem error={revoke.error} />}
            </ConfirmByName>
        </Page>
    );
}
