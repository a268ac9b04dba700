import { UnstyledButton } from '@mantine/core';
import { IconArrowUp } from '@tabler/icons-react';
import { useT } from '@/i18n/i18n';
import { clearNew, useNew, type LiveList } from './live';

/** A list does not jump under the reader: what came since is told, and shown when asked for. */
export function NewPill({ list, onShow }: { list: LiveList; onShow: () => void }) {
    const t = useT();
    const count = useNew(list);
    return (
        <div className="pill" aria-live="polite">
            {count > 0 && <UnstyledButton onClick={() => { clearNew(list); onShow(); scrollTo({ top: 0 }); }}><IconArrowUp size={14} aria-hidden />{t('live.new', { count })}</UnstyledButton>}
        </div>
    );
}
