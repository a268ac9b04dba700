import { useQuery } from '@tanstack/react-query';
import { IconGauge } from '@tabler/icons-react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { EmptyState, Page, Problem, RowsSkeleton } from '@/components/basics';
import { channelsQuery } from '@/features/channels/queries';
import { useMay } from '@/app/session';
import { Limits } from '@/features/usage/Limits';
import { useLanguage } from '@/i18n/i18n';

export default function Usage() {
    const { t } = useLanguage();
    const may = useMay();
    const usage = useQuery({ queryKey: keys.usage, queryFn: () => unwrap(api.GET('/v1/usage')), refetchInterval: 15_000 });
    const senders = useQuery({ queryKey: keys.channelUsage, queryFn: () => unwrap(api.GET('/v1/usage/channels', { params: { query: { limit: 100 } } })), refetchInterval: 15_000 });
    const channels = useQuery({ ...channelsQuery, enabled: may('channels:read') });
    const names = new Map((channels.data ?? []).map((channel) => [channel.id, channel.name]));
    return (
        <Page title={t('nav.usage')} purpose={t('usage.purpose')}>
            {usage.isPending ? <RowsSkeleton count={4} /> : usage.isError ? <Problem error={usage.error} retry={() => { void usage.refetch(); }} /> : usage.data.workspace.length > 0 && <section><h2 style={{ marginTop: 0 }}>{t('usage.workspace')}</h2><Limits limits={usage.data.workspace} /></section>}
            <section className="section">
                <h2>{t('usage.senders')}</h2>
                {senders.isPending ? <RowsSkeleton count={4} /> : senders.isError ? <Problem error={senders.error} retry={() => { void senders.refetch(); }} />
                    : senders.data.data.length === 0 ? <EmptyState icon={IconGauge} title={t('usage.none')} text={t('usage.none.text')} />
                    : <div className="stack" style={{ gap: 24 }}>{senders.data.data.map((sender) => <div key={sender.id}><h3 style={{ margin: '0 0 8px' }}>{names.get(sender.id) ?? <span className="mono">{sender.id}</span>}</h3><Limits limits={sender.limits} /></div>)}</div>}
            </section>
        </Page>
    );
}
