import { Button } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { IconWorld } from '@tabler/icons-react';
import { Problem } from '@/components/basics';
import { useT } from '@/i18n/i18n';
import { providersQuery } from './queries';

const LINK = 'harkara-link';

/** A link's token, while this tab is away at a provider: the address comes back without it. */
export const link = {
    keep: (token: string) => { sessionStorage.setItem(LINK, token); },
    get: () => sessionStorage.getItem(LINK),
    drop: () => { sessionStorage.removeItem(LINK); },
};

/** A button for each provider, if it can be told: whoever has a passkey does without. `begin` says where the browser is to go. */
export function Providers({ begin }: { begin: (providerId: string) => Promise<string> }) {
    const t = useT();
    const providers = useQuery(providersQuery);
    const leave = useMutation({ mutationFn: begin, onSuccess: (url) => { location.assign(url); } });
    const list = providers.data?.data ?? [];
    if (list.length === 0)
        return null;
    return (
        <div className="stack" style={{ gap: 12 }}>
            <p className="quiet" style={{ margin: 0, textAlign: 'center' }}>{t('federated.or')}</p>
            {leave.isError && <Problem error={leave.error} />}
            {list.map((provider) => (
                <Button key={provider.id} variant="default" size="md" fullWidth leftSection={<IconWorld size={18} aria-hidden />}
                    loading={(leave.isPending || leave.isSuccess) && leave.variables === provider.id} disabled={leave.isPending || leave.isSuccess} onClick={() => { leave.mutate(provider.id); }}>
                    {t('federated.continue', { name: provider.name })}
                </Button>
            ))}
        </div>
    );
}

const known = ['dismissed', 'identity-unknown', 'identity-email-refused', 'identity-person-exists', 'identity-token-refused', 'identity-provider-failed', 'ceremony-invalid', 'attempts-throttled', 'link-invalid'] as const;

/** What became of it, where the browser came back with a problem's code. */
export function CameBack({ problem }: { problem: string }) {
    const t = useT();
    const word = known.find((each) => each === problem) ?? 'other';
    return <p className="note" role="alert" style={{ margin: 0 }}>{t(`federated.problem.${word}`)}</p>;
}
