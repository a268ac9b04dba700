/*
 * x86-64, for clock.js: written over the vDSO's clock_gettime of a process whose clock is turned. The system's clock is asked,
 * and `ahead` seconds are added to what it says of the time of day. Each of the three begins at its own offset.
 */
        .text
        jmp     turned_clock_gettime
        .org    8
ahead:  .quad   0

        .org    16                      /* instead of time(tloc) */
        push    %rdi
        sub     $16, %rsp
        xor     %edi, %edi
        mov     %rsp, %rsi
        mov     $228, %eax
        syscall
        mov     (%rsp), %rax
        add     ahead(%rip), %rax
        add     $16, %rsp
        pop     %rdi
        test    %rdi, %rdi
        jz      1f
        mov     %rax, (%rdi)
1:      ret

        .org    80                      /* instead of gettimeofday(tv, tz) */
        test    %rdi, %rdi
        jz      1f
        push    %rdi
        sub     $16, %rsp
        xor     %edi, %edi
        mov     %rsp, %rsi
        mov     $228, %eax
        syscall
        mov     (%rsp), %r8
        add     ahead(%rip), %r8
        mov     8(%rsp), %rax
        add     $16, %rsp
        pop     %rdi
        mov     %r8, (%rdi)
        xor     %edx, %edx
        mov     $1000, %ecx
        div     %rcx
        mov     %rax, 8(%rdi)
1:      xor     %eax, %eax
        ret

        .org    160
turned_clock_gettime:                   /* (clockid, timespec) */
        mov     $228, %eax
        syscall
        test    %eax, %eax
        jnz     2f
        test    %edi, %edi              /* CLOCK_REALTIME */
        jz      1f
        cmp     $5, %edi                /* CLOCK_REALTIME_COARSE */
        jne     2f
1:      mov     ahead(%rip), %rcx
        add     %rcx, (%rsi)
2:      ret
