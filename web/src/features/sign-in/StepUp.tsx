import { Button, Modal, TextInput } from '@mantine/core';
import { useWindowEvent } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconFingerprint } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { api, changingToken, setStepUp, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { ApiError } from '@/api/problem';
import { Problem, QuietButton, RowsSkeleton } from '@/components/basics';
import { useT } from '@/i18n/i18n';
import { hasPasskeys, isDismissed, stepUpWithPasskey } from './passkey';
import { passkeysQuery, recoveryCodesQuery, totpQuery } from './queries';

type Way = 'passkey' | 'totp' | 'recovery';

/* A dialog under this one is not to take Escape for its own. */
const own = { 'data-mantine-stop-propagation': true };

/** Asks for a factor when the API wants one (403, step-up-needed); api/client.ts then repeats the request. */
export function StepUp() {
    const t = useT();
    const [answer, setAnswer] = useState<((wasShown: boolean) => void) | null>(null);
    useEffect(() => {
        let current: Promise<boolean> | null = null; /* one dialog, however many ask */
        setStepUp(() => {
            current ??= new Promise<boolean>((resolve) => { setAnswer(() => resolve); }).finally(() => { current = null; });
            return current;
        });
        return () => { setStepUp(null); };
    }, []);
    const end = (wasShown: boolean) => { answer?.(wasShown); setAnswer(null); };
    useWindowEvent('keydown', (event) => { if (event.key === 'Escape' && answer !== null) end(false); });
    return (
        <Modal.Root opened={answer !== null} onClose={() => { end(false); }} zIndex={400} closeOnEscape={false} closeOnClickOutside={false} size="sm" centered>
            <Modal.Overlay backgroundOpacity={0.45} />
            <Modal.Content aria-label={t('stepup.title')}>
                <Modal.Body className="stack" pt="md">
                    <div className="line" style={{ flexWrap: 'nowrap' }}><h2 className="grow" style={{ margin: 0 }}>{t('stepup.title')}</h2><Modal.CloseButton aria-label={t('close')} {...own} /></div>
                    {answer !== null && <Ways onShown={() => { end(true); }} />}
                </Modal.Body>
            </Modal.Content>
        </Modal.Root>
    );
}

function Ways({ onShown }: { onShown: () => void }) {
    const t = useT();
    const passkeys = useQuery(passkeysQuery), totp = useQuery(totpQuery), codes = useQuery(recoveryCodesQuery);
    const [chosen, setChosen] = useState<Way | null>(null);
    if (passkeys.isPending || totp.isPending || codes.isPending)
        return <RowsSkeleton count={2} />;
    const failed = [passkeys, totp, codes].find((query) => query.isError);
    if (failed !== undefined)
        return <Problem error={failed.error} retry={() => { for (const query of [passkeys, totp, codes]) void query.refetch(); }} />;
    const ways: Way[] = [
        ...(hasPasskeys && (passkeys.data?.data.length ?? 0) > 0 ? ['passkey' as const] : []),
        ...(totp.data?.is_confirmed === true ? ['totp' as const] : []),
        ...((codes.data?.left_count ?? 0) > 0 ? ['recovery' as const] : []),
    ];
    const way = chosen ?? ways[0];
    return (
        <div className="stack">
            <p style={{ margin: 0 }}>{t(way === undefined ? 'stepup.none' : 'stepup.text')}</p>
            {way === 'passkey' && <ByPasskey onShown={onShown} />}
            {way === 'totp' && <ByCode key="totp" way="totp" onShown={onShown} />}
            {way === 'recovery' && <ByCode key="recovery" way="recovery" onShown={onShown} />}
            {ways.length > 1 && <div className="line" style={{ gap: 16 }}>{ways.filter((each) => each !== way).map((each) => <QuietButton key={each} onClick={() => { setChosen(each); }}>{t(`stepup.by.${each}`)}</QuietButton>)}</div>}
        </div>
    );
}

export function ByPasskey({ onShown }: { onShown: () => void }) {
    const t = useT();
    const client = useQueryClient();
    const show = useMutation({ mutationFn: stepUpWithPasskey, onSuccess: (session) => { client.setQueryData(keys.session, session); onShown(); } });
    return (
        <>
            {show.error !== null && (isDismissed(show.error) ? <p className="note" role="alert" style={{ margin: 0 }}>{t('signin.dismissed')}</p> : <Problem error={show.error} />)}
            <Button leftSection={<IconFingerprint size={18} aria-hidden />} loading={show.isPending} onClick={() => { show.mutate(); }} data-autofocus {...own}>{t('signin.passkey')}</Button>
        </>
    );
}

export function ByCode({ way, onShown }: { way: 'totp' | 'recovery'; onShown: () => void }) {
    const t = useT();
    const client = useQueryClient();
    const [code, setCode] = useState('');
    const show = useMutation({
        mutationFn: () => changingToken(unwrap(way === 'totp' ? api.POST('/v1/session/step-up/totp', { body: { code: code.trim() } }) : api.POST('/v1/session/step-up/recovery-code', { body: { code } }))),
        onSuccess: async (session) => {
            client.setQueryData(keys.session, session);
            onShown();
            await client.invalidateQueries({ queryKey: keys.me.recoveryCodes });
        },
        onError: () => { setCode(''); },
    });
    const isRefused = show.error instanceof ApiError && show.error.problem?.code === 'code-refused';
    return (
        <form className="stack" onSubmit={(event) => { event.preventDefault(); if (code.trim() !== '') show.mutate(); }}>
            {show.error !== null && !isRefused && <Problem error={show.error} />}
            <TextInput label={t(`stepup.${way}`)} description={t(`stepup.${way}.help`)} error={isRefused ? t('stepup.refused') : undefined} value={code} onChange={(event) => { setCode(event.currentTarget.value); }}
                autoComplete="one-time-code" inputMode={way === 'totp' ? 'numeric' : 'text'} maxLength={way === 'totp' ? 8 : 40} classNames={{ input: 'code-input' }} data-autofocus {...own} />
            <Button type="submit" loading={show.isPending} disabled={code.trim() === ''} {...own}>{t('stepup.confirm')}</Button>
        </form>
    );
}
