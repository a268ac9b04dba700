import { Button, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconClock, IconDownload, IconShieldCheck, IconShieldX } from '@tabler/icons-react';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { Code, Facts, Json, Problem, When } from '@/components/basics';
import { Sheet } from '@/components/Sheet';
import { StatusBadge } from '@/components/status';
import { keys } from '@/api/keys';
import type { AuditEntryProved } from '@/api/types';
import { useSession } from '@/app/session';
import { saveAs } from '@/components/download';
import { isProved } from '@/features/audit/proof';
import { auditCheckpoints, auditOne } from '@/features/audit/queries';
import { checkSignature, isKeyKnown } from '@/features/audit/signature';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/audit/$entryId');

/** Computed here of the entry's own bytes: what the server says of itself would prove nothing. */
function Verified({ entry }: { entry: AuditEntryProved }) {
    const t = useT();
    const { workspace } = useSession();
    const { proof, place } = entry;
    const published = useQuery({ ...auditCheckpoints, enabled: proof !== null });
    const check = useQuery({
        queryKey: keys.audit.proof(entry.id, `${proof?.checkpoint.root ?? ''}${proof?.line ?? ''}`), enabled: proof !== null && place !== null && published.data !== undefined, staleTime: Infinity,
        queryFn: async () => {
            if (proof === null || place === null || published.data === undefined)
                return null;
            const { checkpoint } = proof, keysOf = published.data.keys;
            const key = keysOf.find(({ generation }) => generation === checkpoint.generation)?.public_key ?? '';
            return {
                isIn: await isProved(place, proof.line, proof.path, checkpoint.size, checkpoint.root),
                signed: await checkSignature(workspace?.id ?? '', checkpoint, keysOf), key,
                isKnown: isKeyKnown(workspace?.id ?? '', checkpoint.generation, key),
            };
        },
    });
    if (proof === null || place === null)
        return <div className="note line"><IconClock size={18} aria-hidden />{t('audit.waits')}</div>;
    if (published.isError || check.isError)
        return <Problem error={published.error ?? check.error} retry={() => { void published.refetch(); void check.refetch(); }} />;
    if (check.isPending || check.data === null)
        return <Skeleton height={44} />;
    const { isIn, signed, key, isKnown } = check.data;
    const isWhole = isIn && signed === 'valid' && isKnown;
    const isHalf = isIn && signed === 'unsupported';
    const word = !isIn ? t('audit.broken') : signed === 'unsupported' ? t('audit.unsupported', { place: place + 1, size: proof.checkpoint.size }) : signed !== 'valid' ? t('audit.unsigned') : !isKnown ? t('audit.other_key') : t('audit.verified', { place: place + 1, size: proof.checkpoint.size });
    return (
        <div className="note why" style={{ color: isWhole ? 'var(--st-green)' : isHalf ? 'var(--st-amber)' : 'var(--st-red)' }}>
            {isWhole ? <IconShieldCheck size={18} aria-hidden /> : <IconShieldX size={18} aria-hidden />}
            <div className="grow">
                <div>{word}</div>
                {signed === 'valid' && <div className="quiet" style={{ fontSize: 13 }}>{t('audit.signed_by')} <code className="mono" title={key}>{key.slice(0, 16)}…</code> · <When at={proof.checkpoint.at} /></div>}
            </div>
        </div>
    );
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
            foot={entry?.proof == null ? undefined : <Button variant="default" leftSection={<IconDownload size={16} />} onClick={() => { saveAs([JSON.stringify(entry.proof, null, 2)], 'application/json', `${entry.id}-proof.json`); }}>{t('audit.proof')}</Button>}>
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
