/* PMDK's side of each row, and its floor: the stores, flushes and fences that the work can't do without. */
#include <libpmemlog.h>
#include <libpmemobj.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>

POBJ_LAYOUT_BEGIN(peers);
POBJ_LAYOUT_ROOT(peers, struct root);
POBJ_LAYOUT_TOID(peers, struct node);
POBJ_LAYOUT_TOID(peers, struct tree);
POBJ_LAYOUT_END(peers);

struct node { /* 48 bytes */
	uint64_t id;
	uint64_t value[3];
	TOID(struct node) next;
};

struct line {
	uint64_t word, rest[7];
};

struct tree {
	uint64_t key, value;
	TOID(struct tree) left, right;
};

struct root {
	struct line words[64]; /* each in a line of its own */
	TOID(struct node) list;
	TOID(struct tree) tree;
	PMEMoid slots[64];
};

static PMEMobjpool *pool;
static TOID(struct root) root;

int peer_open(const char *path)
{
	pool = pmemobj_create(path, POBJ_LAYOUT_NAME(peers), (size_t)256 << 20, 0600);
	if (!pool)
		return -1;
	root = POBJ_ROOT(pool, struct root);
	return sizeof(struct node) == 48 ? 0 : -2;
}

void peer_close(void)
{
	pmemobj_close(pool);
}

void peer_store(uint64_t value)
{
	D_RW(root)->words[0].word = value;
	pmemobj_persist(pool, &D_RW(root)->words[0].word, sizeof(uint64_t));
}

int peer_words(uint64_t count, uint64_t value)
{
	volatile int result = 0;
	TX_BEGIN(pool) {
		for (uint64_t i = 0; i < count; i++) {
			uint64_t *word = &D_RW(root)->words[i].word;
			pmemobj_tx_add_range_direct(word, sizeof(*word));
			*word = value;
		}
	} TX_ONABORT {
		result = -1;
	} TX_END
	return result;
}

static int construct(PMEMobjpool *p, void *at, void *id)
{
	struct node *node = at;
	node->id = *(uint64_t *)id;
	node->value[0] = node->value[1] = node->value[2] = node->id;
	node->next = D_RO(root)->list;
	pmemobj_persist(p, node, sizeof(*node));
	return 0;
}

int peer_push_new(uint64_t id)
{
	return POBJ_NEW(pool, &D_RW(root)->list, struct node, construct, &id);
}

int peer_push_tx(uint64_t id)
{
	volatile int result = 0;
	TX_BEGIN(pool) {
		TOID(struct node) node = TX_NEW(struct node);
		D_RW(node)->id = id;
		D_RW(node)->value[0] = D_RW(node)->value[1] = D_RW(node)->value[2] = id;
		D_RW(node)->next = D_RO(root)->list;
		TX_ADD_FIELD(root, list);
		D_RW(root)->list = node;
	} TX_ONABORT {
		result = -1;
	} TX_END
	return result;
}

/* Frees the list; not measured. */
int peer_clear(void)
{
	while (!TOID_IS_NULL(D_RO(root)->list)) {
		TOID(struct node) node = D_RO(root)->list;
		D_RW(root)->list = D_RO(node)->next;
		pmemobj_persist(pool, &D_RW(root)->list, sizeof(D_RO(root)->list));
		POBJ_FREE(&node);
	}
	return 0;
}

uint64_t peer_traverse(void)
{
	uint64_t sum = 0;
	for (TOID(struct node) node = D_RO(root)->list; !TOID_IS_NULL(node); node = D_RO(node)->next)
		sum += D_RO(node)->id;
	return sum;
}

/* A balanced search tree of the keys from `from` to `to`. */
static TOID(struct tree) build(uint64_t from, uint64_t to)
{
	TOID(struct tree) tree = TOID_NULL(struct tree);
	if (from == to)
		return tree;
	uint64_t middle = from + (to - from) / 2;
	TOID(struct tree) left = build(from, middle), right = build(middle + 1, to);
	POBJ_NEW(pool, &tree, struct tree, NULL, NULL);
	*D_RW(tree) = (struct tree){ .key = middle, .value = middle, .left = left, .right = right };
	return tree;
}

void peer_build(uint64_t count)
{
	D_RW(root)->tree = build(0, count);
}

uint64_t peer_find(uint64_t key)
{
	TOID(struct tree) tree = D_RO(root)->tree;
	while (!TOID_IS_NULL(tree)) {
		const struct tree *at = D_RO(tree);
		if (key == at->key)
			return at->value;
		tree = key < at->key ? at->left : at->right;
	}
	return UINT64_MAX;
}

/* A new object of so many bytes takes the place of the one in a slot, which is freed. */
int peer_churn(uint64_t slot, uint64_t size, uint64_t value)
{
	struct pobj_action actions[4];
	int count = 0;
	PMEMoid *at = &D_RW(root)->slots[slot], old = *at;
	PMEMoid new = pmemobj_reserve(pool, &actions[count++], size, 0);
	if (OID_IS_NULL(new))
		return -1;
	pmemobj_memset(pool, pmemobj_direct(new), (int)value, size, 0);
	pmemobj_set_value(pool, &actions[count++], &at->pool_uuid_lo, new.pool_uuid_lo);
	pmemobj_set_value(pool, &actions[count++], &at->off, new.off);
	if (!OID_IS_NULL(old))
		pmemobj_defer_free(pool, old, &actions[count++]);
	return pmemobj_publish(pool, actions, count);
}

static PMEMlogpool *log_pool;

int peer_log_open(const char *path)
{
	log_pool = pmemlog_create(path, PMEMLOG_MIN_POOL, 0600);
	return log_pool ? 0 : -1;
}

void peer_log_close(void)
{
	pmemlog_close(log_pool);
}

/* So many records of so many bytes. */
int peer_log_append(const void *bytes, size_t len, size_t count)
{
	struct iovec records[16];
	if (count == 1)
		return pmemlog_append(log_pool, bytes, len);
	for (size_t i = 0; i < count; i++)
		records[i] = (struct iovec){ .iov_base = (char *)bytes + i * len, .iov_len = len };
	return pmemlog_appendv(log_pool, records, (int)count);
}

/* Not measured. */
void peer_log_rewind(void)
{
	pmemlog_rewind(log_pool);
}

/* --- floors: the instruction that indelible has chosen on this CPU --- */

static inline void flush(void *at, int instruction)
{
	switch (instruction) {
	case 0: __asm__ volatile("clwb (%0)" : : "r"(at) : "memory"); break;
	case 1: __asm__ volatile("clflushopt (%0)" : : "r"(at) : "memory"); break;
	default: __asm__ volatile("clflush (%0)" : : "r"(at) : "memory"); break;
	}
}

static inline void fence(void)
{
	__asm__ volatile("sfence" : : : "memory");
}

void floor_store(volatile uint64_t *memory, int instruction, uint64_t value)
{
	memory[0] = value;
	flush((void *)memory, instruction);
	fence();
}

/* A node's line, a fence, the slot's line, a fence. `at` is the word where the node's line begins. */
void floor_push(volatile uint64_t *memory, int instruction, uint64_t at, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		memory[at + i] = value;
	flush((void *)&memory[at], instruction);
	fence();
	memory[0] = at;
	flush((void *)memory, instruction);
	fence();
}

/* A record of 24 bytes and 16 for each word, a fence, the words in as many lines flushed. */
void floor_words(volatile uint64_t *memory, int instruction, uint64_t count, uint64_t value)
{
	volatile uint64_t *record = memory + 1024 + (value & 1) * 256, *end = record + 3 + 2 * count;
	for (volatile uint64_t *word = record; word < end; word++)
		*word = value;
	for (volatile uint64_t *line = record; line < end; line += 8)
		flush((void *)line, instruction);
	fence();
	for (uint64_t i = 0; i < count; i++)
		memory[8 * i] = value;
	for (uint64_t i = 0; i < count; i++)
		flush((void *)&memory[8 * i], instruction);
}

/* A header of 16 bytes and `size` behind it in a place of the slot's own, a fence, the slot's line, a fence. */
void floor_churn(volatile uint64_t *memory, int instruction, uint64_t slot, uint64_t size, uint64_t value)
{
	static const char bytes[800] = {7};
	/* Two places for each slot, in turn, because the old object stays until the new one is published. */
	volatile uint64_t *place = memory + 4096 + (2 * slot + (value & 1)) * 128;

	place[0] = size;
	place[1] = value;
	memcpy((void *)&place[2], bytes, size);
	for (uint64_t at = 0; at < 2 + (size + 7) / 8; at += 8)
		flush((void *)&place[at], instruction);
	fence();
	memory[slot * 8] = value;
	flush((void *)&memory[slot * 8], instruction);
	fence();
}

/* Bytes, behind those that were appended before them; `at` counts bytes. */
void floor_append(volatile uint64_t *memory, int instruction, size_t at, const void *bytes, size_t len)
{
	char *to = (char *)memory + at;
	memcpy(to, bytes, len);
	for (char *line = (char *)((uintptr_t)to & ~(uintptr_t)63); line < to + len; line += 64)
		flush(line, instruction);
	fence();
}
