/*
 * Injected errors, for the tests of eventcore: makes the n-th call of the server from eventcore's library fail.
 *
 * Preloaded behind eventcore, this library finds eventcore.so in memory and puts a stub of its own in place of each
 * function of the server in eventcore's table of addresses (its GOT). So every call is covered, those inside pgrx
 * included, and the product has no hook for it. Only x86_64 with ELF is known here; elsewhere `faults.stubs` is 0.
 *
 * Settings of a session:
 *   faults.fail_at      the number of the call that fails, from 1; 0 for none. Setting it resets the count.
 *   faults.sqlstate     the error to raise; 57P01 ends the session (FATAL)
 *   faults.functions    functions of which every call fails, separated by commas
 *   faults.other_owner  raise it under the resource owner of the transaction, as nextval does
 * Read-only:
 *   faults.stubs        how many functions have a stub
 *   faults.calls        how many calls there were since faults.fail_at was set, if it is not 0
 *   faults.fired        the function whose call has failed, empty if none has
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/resowner.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

static int	fail_at = 0;
static char *functions = NULL;
static char *sqlstate = NULL;
static bool other_owner = false;
static int	stub_count = 0;
static int	calls_setting = 0;
static char *fired_setting = NULL;

/* Calls since fail_at was set. */
static int	calls = 0;
static const char *fired = "";

#if defined(__x86_64__) && defined(__ELF__) && defined(__linux__)

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Functions that cannot raise an error, so no caller is prepared for one.
 */
static const char *const cannot_fail[] = {
	/* Error handling itself. */
	"errstart", "errstart_cold", "errfinish", "errcode", "errmsg", "errmsg_internal", "errdetail", "errhint",
	"set_errcontext_domain", "errcontext_msg", "geterrcode", "CopyErrorData", "FreeErrorData", "FlushErrorState",
	"ThrowErrorData", "ReThrowError", "pg_re_throw",
	/* They read or set a variable. */
	"GetUserId", "GetSessionUserId", "GetUserIdAndSecContext", "SetUserIdAndSecContext",
	"GetCurrentSubTransactionId", "GetCurrentTimestamp", "GetCurrentStatementStartTimestamp", "IsInParallelMode",
	"RecoveryInProgress", "ActiveSnapshotSet", "GetActiveSnapshot", "GetNamedLWLockTranche",
	/* They give back memory, or compute. */
	"pfree", "MemoryContextReset", "MemoryContextDelete", "list_free", "hash_bytes_extended",
	/* They wake a process, or end a wait; called also when a transaction has ended already. */
	"SetLatch", "ResetLatch", "ConditionVariableBroadcast", "ConditionVariableCancelSleep", "LWLockRelease",
	/* An error in them is a PANIC, also in the server's own commits. */
	"XLogFlush", "SyncRepWaitForLSN", "GetXLogInsertRecPtr",
	/* They end the process. */
	"proc_exit", "die",
	/* It runs the statements of others, which go through our hook. */
	"standard_ProcessUtility",
};

typedef struct Stub
{
	const char *name;
	void	   *function;
	bool		can_fail;
} Stub;

static Stub stubs[1024];
static unsigned char *code;


#define STUB_SIZE 32
#define CODE_SIZE (lengthof(stubs) * STUB_SIZE)

/*
 * Keeps every register that may hold an argument, asks faults_enter which function it is, and goes there. It is reached
 * by a jump from a stub that has pushed the number of the function.
 */
__asm__(
	".text\n"
	"faults_common:\n"
	"	pushq %rdi\n	pushq %rsi\n	pushq %rdx\n	pushq %rcx\n"
	"	pushq %r8\n	pushq %r9\n	pushq %rax\n	pushq %r10\n"
	"	subq $128, %rsp\n"
	"	movdqu %xmm0, (%rsp)\n	movdqu %xmm1, 16(%rsp)\n	movdqu %xmm2, 32(%rsp)\n	movdqu %xmm3, 48(%rsp)\n"
	"	movdqu %xmm4, 64(%rsp)\n	movdqu %xmm5, 80(%rsp)\n	movdqu %xmm6, 96(%rsp)\n	movdqu %xmm7, 112(%rsp)\n"
	"	movq 192(%rsp), %rdi\n"
	"	call faults_enter\n"
	"	movq %rax, %r11\n"
	"	movdqu (%rsp), %xmm0\n	movdqu 16(%rsp), %xmm1\n	movdqu 32(%rsp), %xmm2\n	movdqu 48(%rsp), %xmm3\n"
	"	movdqu 64(%rsp), %xmm4\n	movdqu 80(%rsp), %xmm5\n	movdqu 96(%rsp), %xmm6\n	movdqu 112(%rsp), %xmm7\n"
	"	addq $128, %rsp\n"
	"	popq %r10\n	popq %rax\n	popq %r9\n	popq %r8\n"
	"	popq %rcx\n	popq %rdx\n	popq %rsi\n	popq %rdi\n"
	"	addq $8, %rsp\n"
	"	jmp *%r11\n");
extern char faults_common[] __attribute__((visibility("hidden")));

static bool
is_named(const char *name)
{
	size_t		length = strlen(name);

	for (const char *at = functions; (at = strstr(at, name)) != NULL; at += length)
	{
		bool		begins = at == functions || at[-1] == ',';

		if (begins && (at[length] == ',' || at[length] == '\0'))
			return true;
	}
	return false;
}

__attribute__((used, visibility("hidden"))) void *faults_enter(uint64 number);

void *
faults_enter(uint64 number)
{
	Stub	   *stub = &stubs[number];

	if ((fail_at > 0 && stub->can_fail && ++calls == fail_at) || (*functions != '\0' && is_named(stub->name)))
	{
		int			code = MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4]);

		fired = stub->name;
		if (other_owner && TopTransactionResourceOwner != NULL)
			CurrentResourceOwner = TopTransactionResourceOwner;
		ereport(strcmp(sqlstate, "57P01") == 0 ? FATAL : ERROR,
				(errcode(code), errmsg("injected error in call %d, of %s", calls, stub->name)));
	}
	return stub->function;
}

static bool
can_fail(const char *name)
{
	for (size_t i = 0; i < lengthof(cannot_fail); i++)
		if (strcmp(cannot_fail[i], name) == 0)
			return false;
	return true;
}

/* The address of a new stub for a function, or of the one that it has. */
static void *
stub_for(const char *name, void *function)
{
	unsigned char *start;
	uint64		target = (uint64) (uintptr_t) faults_common;
	uint32		number;

	for (int i = 0; i < stub_count; i++)
		if (stubs[i].function == function)
			return code + i * STUB_SIZE;
	if (stub_count == lengthof(stubs))
		elog(FATAL, "faults: more functions than places");
	number = stub_count++;
	stubs[number] = (Stub) {name, function, can_fail(name)};
	start = code + number * STUB_SIZE;
	start[0] = 0x68;			/* push imm32 */
	memcpy(start + 1, &number, 4);
	start[5] = 0x49;			/* mov r11, imm64 */
	start[6] = 0xBB;
	memcpy(start + 7, &target, 8);
	start[15] = 0x41;			/* jmp r11 */
	start[16] = 0xFF;
	start[17] = 0xE3;
	return start;
}

/* The function of the server that a symbol is, or NULL for variables and for functions of others. */
static void *
function_of_server(const char *name)
{
	void	   *address = dlsym(RTLD_DEFAULT, name);
	Dl_info		info;
	Dl_info		server;
	ElfW(Sym) *symbol = NULL;

	if (address == NULL
		|| dladdr1(address, &info, (void **) &symbol, RTLD_DL_SYMENT) == 0
		|| dladdr((void *) &MyProcPid, &server) == 0)
		return NULL;
	if (info.dli_fbase != server.dli_fbase || symbol == NULL || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC)
		return NULL;
	return address;
}

static void
patch(ElfW(Addr) base, const ElfW(Rela) *relocations, size_t size, const ElfW(Sym) *symbols, const char *names)
{
	long		page = sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < size / sizeof(ElfW(Rela)); i++)
	{
		const ElfW(Rela) *relocation = &relocations[i];
		uint32		type = ELF64_R_TYPE(relocation->r_info);
		const char *name = names + symbols[ELF64_R_SYM(relocation->r_info)].st_name;
		void	  **slot = (void **) (base + relocation->r_offset);
		void	   *function;
		void	   *start = (void *) ((uintptr_t) slot & ~(uintptr_t) (page - 1));

		if (type != R_X86_64_GLOB_DAT && type != R_X86_64_JUMP_SLOT)
			continue;
		function = function_of_server(name);
		if (function == NULL)
			continue;
		if (mprotect(start, page, PROT_READ | PROT_WRITE) != 0)
			elog(FATAL, "faults: mprotect: %m");
		*slot = stub_for(name, function);
	}
}

static int
visit(struct dl_phdr_info *info, size_t size, void *data)
{
	const char *end = strrchr(info->dlpi_name, '/');
	const ElfW(Dyn) *dynamic = NULL;
	const ElfW(Rela) *rela = NULL,
			   *plt = NULL;
	const ElfW(Sym) *symbols = NULL;
	const char *names = NULL;
	size_t		rela_size = 0,
				plt_size = 0;

	if (end == NULL || strcmp(end, "/eventcore.so") != 0)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			dynamic = (const ElfW(Dyn) *) (info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	for (; dynamic != NULL && dynamic->d_tag != DT_NULL; dynamic++)
	{
		switch (dynamic->d_tag)
		{
			case DT_RELA:
				rela = (const ElfW(Rela) *) dynamic->d_un.d_ptr;
				break;
			case DT_RELASZ:
				rela_size = dynamic->d_un.d_val;
				break;
			case DT_JMPREL:
				plt = (const ElfW(Rela) *) dynamic->d_un.d_ptr;
				break;
			case DT_PLTRELSZ:
				plt_size = dynamic->d_un.d_val;
				break;
			case DT_SYMTAB:
				symbols = (const ElfW(Sym) *) dynamic->d_un.d_ptr;
				break;
			case DT_STRTAB:
				names = (const char *) dynamic->d_un.d_ptr;
				break;
		}
	}
	patch(info->dlpi_addr, rela, rela_size, symbols, names);
	patch(info->dlpi_addr, plt, plt_size, symbols, names);
	return 1;
}

static void
make_stubs(void)
{
	code = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED)
		elog(FATAL, "faults: mmap: %m");
	dl_iterate_phdr(visit, NULL);
	if (mprotect(code, CODE_SIZE, PROT_READ | PROT_EXEC) != 0)
		elog(FATAL, "faults: mprotect: %m");
}

#else

static void
make_stubs(void)
{
}

#endif

static void
begin_to_count(int newval, void *extra)
{
	if (newval > 0)
	{
		calls = 0;
		fired = "";
	}
}

static bool
is_sqlstate(char **newval, void **extra, GucSource source)
{
	return strlen(*newval) == 5;
}

static const char *
show_calls(void)
{
	static char shown[16];

	snprintf(shown, sizeof(shown), "%d", calls);
	return shown;
}

static const char *
show_fired(void)
{
	return fired;
}

void
_PG_init(void)
{
	make_stubs();
	DefineCustomIntVariable("faults.fail_at", "The number of the call that fails; 0 for none.", NULL, &fail_at, 0, 0,
							INT_MAX, PGC_USERSET, 0, NULL, begin_to_count, NULL);
	DefineCustomStringVariable("faults.functions", "Functions of which every call fails.", NULL, &functions, "",
							   PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("faults.sqlstate", "The error that it raises.", NULL, &sqlstate, "57014", PGC_USERSET, 0,
							   is_sqlstate, NULL, NULL);
	DefineCustomBoolVariable("faults.other_owner", "Raise it under another resource owner.", NULL, &other_owner, false,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("faults.stubs", "How many functions have a stub.", NULL, &stub_count, stub_count, 0, INT_MAX,
							PGC_INTERNAL, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("faults.calls", "How many calls there were.", NULL, &calls_setting, 0, 0, INT_MAX,
							PGC_INTERNAL, 0, NULL, NULL, show_calls);
	DefineCustomStringVariable("faults.fired", "The function whose call has failed.", NULL, &fired_setting, "",
							   PGC_INTERNAL, 0, NULL, NULL, show_fired);
}
