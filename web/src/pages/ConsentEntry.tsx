import { Button, Skeleton } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { IconDownload, IconEye, IconUserSearch } from '@tabler/icons-react';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { keys } from '@/api/keys';
import { useMay } from '@/app/session';
import { Code, Facts, Problem, When } from '@/components/basics';
import { Sheet } from '@/components/Sheet';
import { StatusBadge } from '@/components/status';
import { useReceipt } from '@/features/consent/export';
import { Address, By, Kind, Purpose, RevealNote, useReveal } from '@/features/consent/Pieces';
import { consentOne, noticeOne } from '@/features/consent/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/consent/ledger/$consentId');

function NoticeLink({ id }: { id: string }) {
    const notice = useQuery(noticeOne(id));
    return <Link to="/consent/notices/$noticeId" params={{ noticeId: id }}>{notice.data === undefined ? `…${id.slice(-6)}` : `${notice.data.name} ${notice.data.version} (${notice.data.language})`}</Link>;
}

/** One decision, what proves it, and its receipt. */
export default function ConsentEntry() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const client = useQueryClient();
    const { consentId } = route.useParams();
    const filter = route.useSearch();
    const reveal = useReveal();
    const query = useQuery(consentOne(consentId, reveal.isRevealed));
    const receipt = useReceipt();
    const entry = query.data;
    const evidence = Object.entries(entry?.evidence ?? {});
    const whole = reveal.isRevealed && !query.isPlaceholderData ? entry?.address ?? null : null;
    const lookUp = () => { client.setQueryData(keys.consents.wanted, whole); void navigate({ to: '/consent/look-up' }); };
    return (
        <Sheet title={entry === undefined ? t('consent.entry') : <span className="line" style={{ flexWrap: 'nowrap' }}><Address address={entry.address} /><StatusBadge state={entry.state} /></span>} label={t('consent.entry')}
            onClose={() => { void navigate({ to: '/consent/ledger', search: filter, resetScroll: false }); }}
            foot={entry === undefined ? undefined : (
                <>
                    <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} title={t('consent.receipt.help')} loading={receipt.isPending} onClick={() => { receipt.mutate(consentId); }}>{t('consent.receipt')}</Button>
                    {whole !== null ? <Button variant="default" leftSection={<IconUserSearch size={16} aria-hidden />} onClick={lookUp}>{t('consent.see_person')}</Button>
                        : reveal.mayReveal && entry.address !== null && <Button variant="default" leftSection={<IconEye size={16} aria-hidden />} loading={query.isFetching && reveal.isRevealed} onClick={reveal.toggle}>{t('consent.reveal.one')}</Button>}
                </>
            )}>
            {query.isPending ? <div role="status" aria-label={t('loading')}>{[60, 90, 75, 80, 40].map((width) => <Skeleton key={width} height={16} my={14} width={`${width}%`} />)}</div>
                : query.isError ? <Problem error={query.error} retry={() => { void query.refetch(); }} />
                : (
                    <div className="stack" style={{ gap: 24 }}>
                        {receipt.isError && <Problem error={receipt.error} />}
                        <RevealNote isRevealed={reveal.isRevealed} />
                        <Facts rows={[
                            [t('consent.for'), <Purpose key="p" of={query.data.purpose} />],
                            [t('consent.channel'), <Kind key="k" of={query.data.channel} />],
                            [t('consent.at'), <When key="a" at={query.data.at} />],
                            [t('consent.source'), t(`consent.source.${query.data.source}`)],
                            [t('consent.recorded_by'), <By key="b" by={query.data.recorded_by} />],
                            [t('consent.recorded_at'), <When key="r" at={query.data.recorded_at} />],
                            ...(query.data.method === null ? [] : [[t('consent.method'), query.data.method] as [string, React.ReactNode]]),
                            ...(query.data.language === null ? [] : [[t('consent.language'), query.data.language] as [string, React.ReactNode]]),
                            ...(query.data.notice_id === null ? [] : [[t('consent.notice'), <NoticeLink key="n" id={query.data.notice_id} />] as [string, React.ReactNode]]),
                            ...(query.data.message_id === null ? [] : [[t('consent.message'), may('messages:read') ? <Link key="m" to="/messages/$messageId" params={{ messageId: query.data.message_id }} className="mono">{`…${query.data.message_id.slice(-6)}`}</Link> : <Code key="m" text={query.data.message_id} isShort />] as [string, React.ReactNode]]),
                            [t('messages.id'), <Code key="i" text={query.data.id} isShort />],
                        ]} />
                        <section aria-label={t('consent.evidence')}>
                            <h3 style={{ margin: '0 0 8px' }}>{t('consent.evidence')}</h3>
                            {evidence.length === 0 ? <p className="quiet" style={{ margin: 0 }}>{t(query.data.message_id === null ? 'consent.evidence.none' : 'consent.evidence.message')}</p>
                                : <Facts rows={evidence.map(([name, value]): [string, React.ReactNode] => [name, typeof value === 'string' ? value : JSON.stringify(value)])} />}
                        </section>
                    </div>
                )}
        </Sheet>
    );
}
