/* SPDX-License-Identifier: LGPL-2.1-only */

/* What must not be in the scene, whatever state it is in. */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy.h"
#include "look.h"
#include "scene.h"
#include "snapshot/sys/mem.h"
#include "snapshot/store/meta.h"

/* Is the file a part of a snapshot that can be seen? */
static bool has_owner(struct scene *s, const char *path)
{
    char *dir = scene_path(s, "store/" DOMAIN);
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, NULL), i;
    bool found = false;
    size_t k;

    for (i = 0; i < n; i++) {
        char *file = mem_printf("%s/%s/snapshot.json", dir, list[i]->d_name);
        json_object *o = list[i]->d_name[0] == '.' ? NULL :
                         json_object_from_file(file), *disks;

        disks = o ? member(o, "disks") : NULL;
        for (k = 0; disks && k < json_object_array_length(disks); k++)
            found |= !strcmp(word(json_object_array_get_idx(disks, k),
                                  "file"), path);
        json_object_put(o);
        free(file);
        free(list[i]);
    }
    free(list);
    free(dir);
    return found;
}

/* Layers, copies, links and temporary files that belong to nothing. */
static void stray_images(struct scene *s, struct text *why)
{
    char *dir = scene_path(s, "images");
    char *link = scene_path(s, scene_images[EXTERNAL].file);
    char *live = realpath(link, NULL);
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, alphasort), i;
    size_t k;

    if (!live)
        text_add(why, "%s leads nowhere; ", link);
    for (i = 0; i < n; i++) {
        char *path = mem_printf("%s/%s", dir, list[i]->d_name);
        bool known = live && !strcmp(path, live);

        for (k = 0; k < NIMAGES && !known; k++)
            known = !strcmp(path + strlen(s->dir) + 1, scene_images[k].file) &&
                    (k == EXTERNAL || type_of(path) == S_IFREG);
        if (!known && !has_owner(s, path))
            text_add(why, "%s is left; ", path);
        free(path);
        free(list[i]);
    }
    free(list);
    free(live);
    free(link);
    free(dir);
}

/* Locks by identity in the store's root; what is kept for the user. */
static bool is_hidden(struct scene *s, const char *name, int depth)
{
    if (depth == 0)
        return name[0] == '.';
    return s->user && depth == 1 && !strncmp(name, ".lost-", 6);
}

static void stray_in(struct scene *s, const char *dir, int depth,
                     struct text *why)
{
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, alphasort), i;

    for (i = 0; i < n; i++) {
        const char *name = list[i]->d_name;
        char *path = mem_printf("%s/%s", dir, name);
        struct stat st;
        bool is_dir = !lstat(path, &st) && S_ISDIR(st.st_mode);
        bool known = is_dir ? name[0] != '.' && depth < 2 :
                     depth == 1 ? !strcmp(name, ".lock") ||
                                  !strcmp(name, "domain.json") :
                     depth == 2 ? is_memory_image(name) ||
                                  !strcmp(name, "snapshot.json") : false;

        if (is_hidden(s, name, depth))
            is_dir = false;
        else if (!known)
            text_add(why, "%s is left; ", path);
        else if ((st.st_mode & 07777) != (is_dir ? 0700 : 0600))
            text_add(why, "%s has mode %o; ", path, st.st_mode & 07777);
        if (is_dir && known)
            stray_in(s, path, depth + 1, why);
        free(path);
        free(list[i]);
    }
    free(list);
}

/* Has the open file a name in the images' folder, perhaps a new one? */
static bool has_name(struct scene *s, const char *fd)
{
    char *dir = scene_path(s, "images");
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, NULL), i;
    struct stat st, image;
    bool known = false;

    if (stat(fd, &st))
        memset(&st, 0, sizeof(st));
    for (i = 0; i < n; i++) {
        char *path = mem_printf("%s/%s", dir, list[i]->d_name);

        known |= !stat(path, &image) && image.st_ino == st.st_ino;
        free(path);
        free(list[i]);
    }
    free(list);
    free(dir);
    return known;
}

/*
 * An image that is deleted takes its space until QEMU lets go of it.  The
 * link count does not tell: the scene may have a second name for it.
 */
static void stray_open(struct scene *s, pid_t qemu, struct text *why)
{
    char *dir = mem_printf("/proc/%d/fd", (int)qemu);
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, NULL), i;

    for (i = 0; i < n; i++) {
        char *path = mem_printf("%s/%s", dir, list[i]->d_name);
        char file[4096];
        ssize_t len = readlink(path, file, sizeof(file) - 1);

        file[len > 0 ? len : 0] = '\0';
        if (strstr(file, "/images/") && strstr(file, " (deleted)") &&
            !has_name(s, path))
            text_add(why, "QEMU still has %s open; ", file);
        free(path);
        free(list[i]);
    }
    free(list);
    free(dir);
}

static void stray_processes(struct scene *s, struct text *why)
{
    struct vm vm;

    if (vm_find(DOMAIN, &vm) && strcmp(vm.state, "shutdown")) {
        if (!process_is(vm.monitor, "xl"))
            text_add(why, "xl's monitor is gone; ");
        else if (process_letter(vm.monitor) == 'T')
            text_add(why, "xl's monitor is stopped; ");
        stray_open(s, vm.qemu, why);
    }
    vm_free(&vm);
}

void scene_strays(struct scene *s, struct text *why)
{
    char *store = scene_path(s, "store");
    char *lock = scene_path(s, "store/" DOMAIN "/.lock");
    struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(lock, O_RDWR | O_CLOEXEC);
    char *place = scene_path(s, PLACE);

    stray_in(s, store, 0, why);
    stray_in(s, place, 1, why);
    stray_images(s, why);
    free(place);
    if (fd >= 0 && (fcntl(fd, F_GETLK, &fl) || fl.l_type != F_UNLCK))
        text_add(why, "process %d holds the lock; ", (int)fl.l_pid);
    if (fd >= 0)
        close(fd);
    stray_processes(s, why);
    free(lock);
    free(store);
}

void scene_check_images(struct scene *s, struct text *why, unsigned *leaks)
{
    char *dir = scene_path(s, "images");
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, alphasort), i;

    for (i = 0; i < n; i++) {
        char *path = mem_printf("%s/%s", dir, list[i]->d_name);
        const char *const argv[] = {
            "qemu-img", "check", "-q", "-f", "qcow2", path, NULL
        };
        struct run r = { 0 };

        if (strstr(path, ".qcow2") && type_of(path) == S_IFREG)
            run_program(s, argv, NULL, NULL, 0, &r);
        if (r.status == 3)
            ++*leaks;
        else if (r.status)
            text_add(why, "%s: qemu-img check: %d: %s; ", path, r.status,
                     r.out);
        free(path);
        free(list[i]);
    }
    free(list);
    free(dir);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
