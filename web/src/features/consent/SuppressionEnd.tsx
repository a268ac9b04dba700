import { Button, Modal } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { IconLock } from '@tabler/icons-react';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { Suppression } from '@/api/types';
import { useMay } from '@/app/session';
import { Problem } from '@/components/basics';
import { say } from '@/components/undo';
import { useT } from '@/i18n/i18n';

/** Ends a suppression that people of the workspace made; of one that the person asked for it says why it stays. */
export function SuppressionEnd({ row }: { row: Suppression }) {
    const t = useT();
    const may = useMay();
    const client = useQueryClient();
    const [isOpen, setOpen] = useState(false);
    const end = useMutation({
        mutationFn: () => unwrap(api.DELETE('/v1/suppressions/{suppression_id}', { params: { path: { suppression_id: row.id } } })),
        onSuccess: () => { setOpen(false); say(t('consent.suppression.removed')); return client.invalidateQueries({ queryKey: keys.consents.all }); },
    });
    if (!row.is_own && !may('consents:manage'))
        return null;
    const close = () => { setOpen(false); end.reset(); };
    const { reason } = row;
    return (
        <>
            <Button variant="subtle" color="gray" size="compact-sm" leftSection={row.is_own ? <IconLock size={14} aria-hidden /> : undefined} onClick={() => { setOpen(true); }}>{t(row.is_own ? 'consent.suppression.own' : 'consent.suppression.remove')}</Button>
            <Modal opened={isOpen} onClose={close} title={t(row.is_own ? 'consent.suppression.own' : 'consent.suppression.remove.title')} closeButtonProps={{ 'aria-label': t('close') }}>
                <div className="stack">
                    {reason === 'manual' || reason === 'import' ? <p style={{ margin: 0 }}>{t('consent.suppression.remove.text')}</p> : <p style={{ margin: 0 }}>{t(`consent.suppression.own.${reason}`)}</p>}
                    {end.isError && <Problem error={end.error} />}
                    <div className="line">
                        {!row.is_own && <Button loading={end.isPending} onClick={() => { end.mutate(); }}>{t('consent.suppression.remove')}</Button>}
                        <Button variant="default" onClick={close}>{t(row.is_own ? 'close' : 'cancel')}</Button>
                    </div>
                </div>
            </Modal>
        </>
    );
}
