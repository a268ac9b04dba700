import { Button, Modal, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconDeviceMobile, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { ApiError } from '@/api/problem';
import { Copy, Problem, RowsSkeleton, When } from '@/components/basics';
import { ConfirmByName } from '@/components/secrets';
import { StatusBadge } from '@/components/status';
import { say } from '@/components/undo';
import { totpQuery } from '@/features/sign-in/queries';
import { useT } from '@/i18n/i18n';
import { Section } from './Section';
import type { components } from '@generated/schema';

type Secret = components['schemas']['TotpSecret'];

export function Totp() {
    const t = useT();
    const client = useQueryClient();
    const totp = useQuery(totpQuery);
    const [secret, setSecret] = useState<Secret | null>(null);
    const [isEnding, setEnding] = useState(false);
    const begin = useMutation({ mutationFn: () => unwrap(api.POST('/v1/me/totp')), onSuccess: setSecret });
    const remove = useMutation({
        mutationFn: () => unwrap(api.DELETE('/v1/me/totp')),
        onSuccess: async () => { setEnding(false); say(t('totp.removed')); await client.invalidateQueries({ queryKey: keys.me.totp }); },
    });
    const has = totp.data?.is_confirmed === true;
    return (
        <Section id="totp" title={t('totp.title')} text={t('totp.text')}
            act={totp.isSuccess && !has && <Button variant="default" leftSection={<IconPlus size={16} aria-hidden />} loading={begin.isPending} onClick={() => { begin.mutate(); }}>{t('totp.add')}</Button>}>
            {begin.isError && <Problem error={begin.error} />}
            {totp.isPending ? <RowsSkeleton count={1} /> : totp.isError ? <Problem error={totp.error} retry={() => { void totp.refetch(); }} /> : !has ? null : (
                <ul className="rows card" aria-labelledby="totp">
                    <li>
                        <IconDeviceMobile size={20} stroke={1.6} aria-hidden className="quiet" style={{ flex: 'none' }} />
                        <div className="grow"><StatusBadge state="active" /><div className="quiet account-facts"><span>{t('passkeys.added')} <When at={totp.data?.confirmed_at} /></span></div></div>
                        <Button variant="default" size="xs" onClick={() => { setEnding(true); }}>{t('totp.remove')}</Button>
                    </li>
                </ul>
            )}
            <Modal opened={secret !== null} onClose={() => { setSecret(null); }} title={t('totp.title')} closeOnClickOutside={false} closeButtonProps={{ 'aria-label': t('close') }}>
                {secret !== null && <TotpSetUp secret={secret} onDone={() => { setSecret(null); }} />}
            </Modal>
            <ConfirmByName isOpen={isEnding} title={t('totp.remove')} text={t('totp.remove.text')} name={t('totp.name')} act={t('totp.remove')} isBusy={remove.isPending} onClose={() => { setEnding(false); remove.reset(); }} onConfirm={() => { remove.mutate(); }}>
                {remove.isError && <Problem error={remove.error} />}
            </ConfirmByName>
        </Section>
    );
}

/** The QR code is an image: nothing of it can run, and the page's policy stays as it is. */
export function TotpSetUp({ secret, onDone }: { secret: Secret; onDone: () => void }) {
    const t = useT();
    const client = useQueryClient();
    const [code, setCode] = useState('');
    const confirm = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/me/totp/confirm', { body: { code: code.trim() } })),
        onSuccess: (totp) => { client.setQueryData(keys.me.totp, totp); onDone(); say(t('totp.made')); },
        onError: () => { setCode(''); },
    });
    const isRefused = confirm.error instanceof ApiError && confirm.error.problem?.code === 'code-refused';
    return (
        <form className="stack" onSubmit={(event) => { event.preventDefault(); if (code.trim() !== '') confirm.mutate(); }}>
            <p style={{ margin: 0 }}>{t('totp.scan')}</p>
            <img className="qr" src={`data:image/svg+xml,${encodeURIComponent(secret.qr_svg)}`} alt={t('totp.qr')} />
            <div><div className="quiet" style={{ fontSize: 13, marginBottom: 4 }}>{t('totp.secret')}</div><div className="pre" style={{ display: 'flex', gap: 8, alignItems: 'center' }}><span className="grow" data-testid="totp-secret">{secret.secret.replace(/(.{4})(?=.)/g, '$1 ')}</span><Copy text={secret.secret} /></div></div>
            {confirm.error !== null && !isRefused && <Problem error={confirm.error} />}
            <TextInput label={t('totp.code')} description={t('totp.code.help')} error={isRefused ? t('totp.code.refused') : undefined} value={code} onChange={(event) => { setCode(event.currentTarget.value); }} autoComplete="one-time-code" inputMode="numeric" maxLength={8} classNames={{ input: 'code-input' }} data-autofocus />
            <Button type="submit" loading={confirm.isPending} disabled={code.trim() === ''}>{t('totp.confirm')}</Button>
        </form>
    );
}
