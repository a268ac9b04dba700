import { Button, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconClock, IconDownload, IconShieldCheck, IconShieldX } from '@tabler/icons-react';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { Code, Facts, Json, Problem, When } from '@/components/basics';
import { Sheet } from '@/components/Sheet';
import { StatusBadge } from '@/components/status';
import { keys } from '@/api/keys';
import type { AuditEntryProved } from '@/api/types';
import { isProved } from '@/features/audit/proof';
import { auditOne } from '@/features/audit/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/audit/$entryId');

/** Computed here of the entry's own bytes: what the server says of itself would prove nothing. */
function Verified({ entry }: { entry: AuditEntryProved }) {
    const t = useT();
    const { proof, place } = entry;
    const check = useQuery({
        queryKey: keys.audit.proof(entry.id, `${proof?.checkpoint.root ?? ''}${proof?.line ?? ''}`), enabled: proof !== null && place !== null, staleTime: Infinity,
        queryFn: () => proof === null || place === null ? false : isProved(place, proof.line, proof.path, proof.checkpoint.size, proof.checkpoint.root),
    });
    if (proof === null || place === null)
        return <div className="note line"><IconClock size={18} aria-hidden />{t('audit.waits')}</div>;
    if (check.isPending)
        return <Skeleton height={44} />;
    return (
        <div className="note line" style={{ color: check.data === true ? 'var(--st-green)' : 'var(--st-red)' }}>
            {check.data === true ? <IconShieldCheck size={18} aria-hidden /> : <IconShieldX size={18} aria-hidden />}
            <span className="grow">{check.data === true ? t('audit.verified', { place: place + 1, size: proof.checkpoint.size }) : t('audit.broken')}</span>
        </div>
    );
}

function download(entry: AuditEntryProved): void {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([JSON.stringify(entry.proof, null, 2)], { type: 'application/json' }));
    link.download = `${entry.id}-proof.json`;
    link.click();
    URL.revokeObjectURL(link.href);
}

export default function AuditEntryPage() {
    const t = useT();
    const navigate = useNavigate();
    const { entryId } = route.useParams();
    const filter = route.useSearch();
    const query = useQuery(auditOne(entryId));
    const entry = query.data;
    return (
        <Sheet title={entry === undefined ? t('audit.entry') : <span className="mono">{entry.action}</span>} label={t('audit.entry')} onClose={() => { void navigate({ to: '/audit', search: filter, resetScroll: false }); }}
            foot={entry?.proof == null ? undefined : <Button variant="default" leftSection={<IconDownload size={16} />} onClick={() => { download(entry); }}>{t('audit.proof')}</Button>}>
            {query.isPending ? <Skeleton height={240} /> : query.isError ? <Problem error={query.error} retry={() => { void query.refetch(); }} /> : (
                <div className="stack">
                    <Verified entry={query.data} />
                    <Facts rows={[
                        [t('audit.outcome'), <StatusBadge key="o" state={query.data.outcome} />], [t('messages.created'), <When key="w" at={query.data.at} />], [t('audit.actor'), `${t(`audit.kind.${query.data.actor.kind}`)} ${query.data.actor.name ?? ''}`],
                        ...(query.data.actor.id === null ? [] : [[t('audit.actor_id'), <Code key="a" text={query.data.actor.id} />] as [string, React.ReactNode]]),
                        ...(query.data.object_id === null ? [] : [[t('audit.object'), <Code key="b" text={query.data.object_id} />] as [string, React.ReactNode]]),
                        [t('audit.address'), query.data.actor.address ?? '–'], [t('messages.id'), <Code key="i" text={query.data.id} />],
                    ]} />
                    <Json value={query.data.private.length === 0 ? query.data.detail : { detail: query.data.detail, private: query.data.private }} />
                </div>
            )}
        </Sheet>
    );
}
