import '@fontsource-variable/inter';
import '@fontsource-variable/noto-sans-devanagari';
import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import '@mantine/spotlight/styles.css';
import './theme/app.css';
import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { setNonce } from 'get-nonce';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { queryClient, router } from './app/router';
import { I18n } from './i18n/i18n';
import { theme, tokens } from './theme/theme';

/* The nonce of this answer: what styles are made later carry it too. */
const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? '';
setNonce(nonce); /* for react-remove-scroll, which makes a style of its own */
const root = document.getElementById('root');
if (root === null)
    throw new Error('the page has no root');

createRoot(root).render(
    <StrictMode>
        <MantineProvider theme={theme} cssVariablesResolver={tokens} defaultColorScheme="auto" colorSchemeManager={localStorageColorSchemeManager({ key: 'harkara-scheme' })} getStyleNonce={() => nonce}>
            <I18n>
                <QueryClientProvider client={queryClient}>
                    <Notifications position="bottom-center" />
                    <RouterProvider router={router} />
                </QueryClientProvider>
            </I18n>
        </MantineProvider>
    </StrictMode>,
);
