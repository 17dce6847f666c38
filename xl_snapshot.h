/* SPDX-License-Identifier: LGPL-2.1-only */

/* The snapshot commands of xl.  Each is a main(): see xl.h. */

#ifndef XL_SNAPSHOT_H
#define XL_SNAPSHOT_H

int main_snapshot_create(int argc, char **argv);
int main_snapshot_revert(int argc, char **argv);
int main_snapshot_delete(int argc, char **argv);
int main_snapshot_set(int argc, char **argv);
int main_snapshot_recover(int argc, char **argv);
int main_snapshot_list(int argc, char **argv);
int main_snapshot_view(int argc, char **argv);
int main_snapshot_export(int argc, char **argv);
int main_snapshot_clone(int argc, char **argv);
int main_snapshot_import(int argc, char **argv);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
