/*
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published
 * by the Free Software Foundation; version 2.1 only.
 *
 * This program is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
 * GNU Lesser General Public License for more details.
 */

/* The snapshot commands of xl.  Each is a main(): see xl.h. */

#ifndef XL_SNAPSHOT_H
#define XL_SNAPSHOT_H

int main_snapshot_create(int argc, char **argv);
int main_snapshot_revert(int argc, char **argv);
int main_snapshot_delete(int argc, char **argv);
int main_snapshot_list(int argc, char **argv);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
