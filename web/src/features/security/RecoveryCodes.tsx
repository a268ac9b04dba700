import { Button, Checkbox, Modal } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconAlertTriangle, IconCheck, IconCopy, IconDownload, IconLifebuoy, IconPlus, IconPrinter, IconRefresh } from '@tabler/icons-react';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { useSession } from '@/app/session';
import { Problem, RowsSkeleton, When } from '@/components/basics';
import { recoveryCodesQuery } from '@/features/sign-in/queries';
import { useLanguage, useT } from '@/i18n/i18n';
import { Section } from './Section';
import type { components } from '@generated/schema';

type Codes = components['schemas']['RecoveryCodes'];

/* From here on the person is told to make new ones. */
const FEW = 3;

export function RecoveryCodes() {
    const t = useT();
    const client = useQueryClient();
    const left = useQuery(recoveryCodesQuery);
    const [isAsking, setAsking] = useState(false);
    const [codes, setCodes] = useState<Codes | null>(null);
    const make = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/me/recovery-codes')),
        onSuccess: async (made) => { setAsking(false); setCodes(made); await client.invalidateQueries({ queryKey: keys.me.recoveryCodes }); },
    });
    const count = left.data?.left_count ?? 0, hasSome = left.data?.made_at != null;
    return (
        <Section id="recovery" title={t('recovery.title')} text={t('recovery.text')}
            act={left.isSuccess && <Button variant="default" leftSection={hasSome ? <IconRefresh size={16} aria-hidden /> : <IconPlus size={16} aria-hidden />} loading={make.isPending && !isAsking} onClick={() => { if (count > 0) setAsking(true); else make.mutate(); }}>{t(hasSome ? 'recovery.renew' : 'recovery.make')}</Button>}>
            {make.isError && !isAsking && <Problem error={make.error} />}
            {left.isPending ? <RowsSkeleton count={1} /> : left.isError ? <Problem error={left.error} retry={() => { void left.refetch(); }} /> : !hasSome ? null : (
                <ul className="rows card" aria-labelledby="recovery">
                    <li>
                        <IconLifebuoy size={20} stroke={1.6} aria-hidden className="quiet" style={{ flex: 'none' }} />
                        <div className="grow">
                            <div style={{ fontWeight: 540 }} className="number">{t('recovery.left', { count })}</div>
                            <div className="quiet account-facts"><span>{t('recovery.made')} <When at={left.data.made_at} /></span></div>
                            {count <= FEW && <div className="line" style={{ gap: 4, fontSize: 13, color: 'var(--st-amber)' }}><IconAlertTriangle size={14} aria-hidden />{t('recovery.few')}</div>}
                        </div>
                    </li>
                </ul>
            )}
            <Modal opened={isAsking} onClose={() => { setAsking(false); make.reset(); }} title={t('recovery.renew')} closeButtonProps={{ 'aria-label': t('close') }}>
                <div className="stack">
                    <p style={{ margin: 0 }}>{t('recovery.renew.text', { count })}</p>
                    {make.isError && <Problem error={make.error} />}
                    <Button loading={make.isPending} onClick={() => { make.mutate(); }} data-autofocus>{t('recovery.renew')}</Button>
                </div>
            </Modal>
            <Modal opened={codes !== null} onClose={() => undefined} title={t('recovery.title')} size="lg" withCloseButton={false} closeOnClickOutside={false} closeOnEscape={false}>
                {codes !== null && <Shown codes={codes} onDone={() => { setCodes(null); }} />}
            </Modal>
        </Section>
    );
}

/** This once; they go away when the person says that they are kept. */
function Shown({ codes, onDone }: { codes: Codes; onDone: () => void }) {
    const { t, intl } = useLanguage();
    const { person } = useSession();
    const [isKept, setKept] = useState(false);
    const clipboard = useClipboard({ timeout: 1500 });
    const head = t('recovery.sheet', { name: person.name, host: location.host, day: intl.formatDate(codes.made_at, { dateStyle: 'long' }) });
    const download = () => {
        const link = document.createElement('a');
        link.href = URL.createObjectURL(new Blob([`${head}\n\n${codes.codes.join('\n')}\n\n${t('recovery.once')}\n`], { type: 'text/plain' }));
        link.download = 'harkara-recovery-codes.txt';
        link.click();
        URL.revokeObjectURL(link.href);
    };
    return (
        <div className="stack">
            <div className="note line" style={{ flexWrap: 'nowrap', alignItems: 'flex-start' }}><IconAlertTriangle size={18} aria-hidden style={{ flex: 'none', color: 'var(--st-amber)' }} /><span>{t('recovery.shown')}</span></div>
            <div className="print-only-this">
                <p className="print-head">{head}</p>
                <ol className="recovery-codes">{codes.codes.map((code) => <li key={code}>{code}</li>)}</ol>
                <p className="print-head">{t('recovery.once')}</p>
            </div>
            <div className="line">
                <Button variant="default" size="xs" leftSection={clipboard.copied ? <IconCheck size={14} aria-hidden /> : <IconCopy size={14} aria-hidden />} onClick={() => { clipboard.copy(codes.codes.join('\n')); }}>{t(clipboard.copied ? 'copy.done' : 'copy.do')}</Button>
                <Button variant="default" size="xs" leftSection={<IconDownload size={14} aria-hidden />} onClick={download}>{t('recovery.download')}</Button>
                <Button variant="default" size="xs" leftSection={<IconPrinter size={14} aria-hidden />} onClick={() => { print(); }}>{t('recovery.print')}</Button>
            </div>
            <Checkbox label={t('recovery.kept')} checked={isKept} onChange={(event) => { setKept(event.currentTarget.checked); }} data-autofocus />
            <Button disabled={!isKept} onClick={onDone}>{t('done')}</Button>
        </div>
    );
}
