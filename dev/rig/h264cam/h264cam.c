// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A camera that encodes: a V4L2 capture device whose pictures are a file's, an H.264 stream in Annex B, one access unit
 * in each buffer, played at a steady rate and over again. It stands for the encoder of a camera as far as whoever
 * watches can tell:
 *
 *  - The stream starts at a keyframe (an IDR picture).
 *  - V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME: goes to the file's next keyframe, after the units that are under way already.
 *  - V4L2_CID_MPEG_VIDEO_H264_I_PERIOD: after so many units it goes to the file's next keyframe by itself. It cannot go
 *    without those that are in between, so a file for long groups of pictures has one keyframe, the first.
 *  - V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER: without it, only the first keyframe has its parameter sets.
 *  - V4L2_CID_MPEG_VIDEO_BITRATE: can be set and read. The pictures stay what they are.
 *
 * A picture for which there is no buffer is not encoded: the stream goes on later, with nothing missing in it.
 *
 * Its counters are in /sys/kernel/debug/h264cam:
 *   units      delivered since the module was loaded
 *   keyframes  how many of them are keyframes
 *   requests   how often a keyframe was asked for
 *   forced     how many came because of that
 *   lose       write a number, and so many units go missing on their way, each with its place in the count of frames
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/kernel_read_file.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <media/v4l2-ctrls.h>
#include <media/v4l2-dev.h>
#include <media/v4l2-device.h>
#include <media/v4l2-event.h>
#include <media/v4l2-ioctl.h>
#include <media/videobuf2-v4l2.h>
#include <media/videobuf2-vmalloc.h>

#define NAME "h264cam"

/* Some minutes of what a camera gives. */
#define LONGEST_STREAM (256 << 20)

static char *stream = "/run/h264cam.h264";
module_param(stream, charp, 0444);
MODULE_PARM_DESC(stream, "the file to play; it is read whenever streaming starts");

static int video_nr = 20;
module_param(video_nr, int, 0444);
MODULE_PARM_DESC(video_nr, "the number of its /dev/video");

static unsigned int width = 640;
module_param(width, uint, 0444);
MODULE_PARM_DESC(width, "what it says of its pictures: their width");

static unsigned int height = 360;
module_param(height, uint, 0444);
MODULE_PARM_DESC(height, "and their height");

static unsigned int fps = 30;
module_param(fps, uint, 0444);
MODULE_PARM_DESC(fps, "pictures a second, 1 to 120");

static bool button = true;
module_param(button, bool, 0444);
MODULE_PARM_DESC(button, "whether there is a control for asking for keyframes");

static bool obey = true;
module_param(obey, bool, 0644);
MODULE_PARM_DESC(obey, "whether a keyframe that is asked for comes");

static unsigned int delay = 2;
module_param(delay, uint, 0444);
MODULE_PARM_DESC(delay, "units that are under way when a keyframe is asked for, and come before it, 0 to 30");

/* A picture of the stream, with all that belongs to it. */
struct unit {
	const u8 *data;
	size_t bytes;
	/* How many of these bytes come before its first slice. */
	size_t headers;
	bool is_keyframe;
};

struct buffer {
	/* First, as videobuf2 wants it. */
	struct vb2_v4l2_buffer vb;
	struct list_head list;
};

struct camera {
	struct v4l2_device device;
	struct video_device node;
	struct v4l2_ctrl_handler controls;
	struct v4l2_ctrl *period;
	struct v4l2_ctrl *repeat;
	struct dentry *counters;

	/* Serialises the calls of whoever uses it. */
	struct mutex lock;
	struct vb2_queue queue;
	/* Guards the list of empty buffers. */
	spinlock_t buffers_lock;
	struct list_head buffers;

	/* The rest belongs to the player while it runs. */
	struct task_struct *player;
	void *file;
	struct unit *units;
	size_t count;
	/* Which unit comes next. */
	size_t position;
	/* How many came since the last keyframe, itself among them. */
	unsigned int since;
	u32 sequence;

	spinlock_t wanted_lock;
	/* Where a bit is set a keyframe was asked for: it comes after as many units as the bit's number. */
	u32 wanted;

	atomic_t lose;
	atomic_t delivered;
	atomic_t keyframes;
	atomic_t requests;
	atomic_t forced;
};

static struct camera camera;

/* The next start code with a header behind it, or the end. */
static const u8 *next_nal(const u8 *at, const u8 *end)
{
	for (; end - at >= 4; at++)
		if (!at[0] && !at[1] && at[2] == 1)
			return at;
	return end;
}

/*
 * Cuts the stream into access units (ITU-T H.264, 7.4.1.2.3, as far as encoders make use of it), those before its first
 * keyframe left out. Writes them to `units`, if that is not NULL, and tells how many there are.
 */
static size_t cut(const u8 *data, size_t bytes, struct unit *units)
{
	const u8 *end = data + bytes, *start = NULL, *nal, *next;
	struct unit unit = {};
	bool has_picture = false;
	size_t count = 0;

	for (nal = next_nal(data, end);; nal = next) {
		u8 type = nal < end ? nal[3] & 0x1f : 0;
		bool is_slice = type == 1 || type == 5;
		/* A slice begins with the number of its first macroblock, of which zero is coded as a single set bit. */
		bool may_open = is_slice ? end - nal > 4 && nal[4] & 0x80 :
				(type >= 6 && type <= 9) || (type >= 14 && type <= 18);
		/* The fourth byte of a long start code. */
		const u8 *from = nal > data && !nal[-1] ? nal - 1 : nal;

		if (has_picture && (may_open || nal == end)) {
			if (count || unit.is_keyframe) {
				unit.data = start;
				unit.bytes = (nal == end ? end : from) - start;
				if (units)
					units[count] = unit;
				count++;
			}
			unit = (struct unit){};
			has_picture = false;
			start = NULL;
		}
		if (nal == end)
			return count;
		if (!start)
			start = from;
		if (is_slice && !has_picture) {
			has_picture = true;
			unit.headers = from - start;
			unit.is_keyframe = type == 5;
		}
		next = next_nal(nal + 3, end);
	}
}

static unsigned int buffer_size(void)
{
	/* An encoder's keyframe is smaller than one byte for each pixel. */
	return max(width * height, 64u << 10);
}

static void unload(struct camera *camera)
{
	kvfree(camera->units);
	vfree(camera->file);
	camera->units = NULL;
	camera->file = NULL;
}

static int load(struct camera *camera)
{
	size_t largest = 0, bytes, i;
	ssize_t read;

	camera->file = NULL;
	read = kernel_read_file_from_path(stream, 0, &camera->file, LONGEST_STREAM, &bytes, READING_UNKNOWN);
	if (read < 0) {
		pr_err(NAME ": cannot read %s (%zd)\n", stream, read);
		return read;
	}
	camera->count = cut(camera->file, bytes, NULL);
	if (!camera->count) {
		pr_err(NAME ": there is no keyframe of H.264 in %s\n", stream);
		goto unusable;
	}
	camera->units = kvmalloc_array(camera->count, sizeof(*camera->units), GFP_KERNEL);
	if (!camera->units) {
		unload(camera);
		return -ENOMEM;
	}
	cut(camera->file, bytes, camera->units);
	for (i = 0; i < camera->count; i++)
		largest = max(largest, camera->units[i].bytes);
	if (largest > buffer_size()) {
		pr_err(NAME ": a picture of %s has %zu bytes and does not fit; make it smaller\n", stream, largest);
		goto unusable;
	}
	return 0;

unusable:
	unload(camera);
	return -EINVAL;
}

static struct buffer *next_buffer(struct camera *camera)
{
	struct buffer *buffer;

	spin_lock(&camera->buffers_lock);
	buffer = list_first_entry_or_null(&camera->buffers, struct buffer, list);
	if (buffer)
		list_del(&buffer->list);
	spin_unlock(&camera->buffers_lock);
	return buffer;
}

static void give_back(struct camera *camera, enum vb2_buffer_state state)
{
	struct buffer *buffer;

	while ((buffer = next_buffer(camera)))
		vb2_buffer_done(&buffer->vb.vb2_buf, state);
}

/* Whether the next unit is a keyframe because somebody asked for it. */
static bool take_wish(struct camera *camera)
{
	/*
	 * A file may have one keyframe only, and two in a row must not have the same idr_pic_id (7.4.3): a wish that comes
	 * right behind one has to wait for a unit.
	 */
	bool is_possible = camera->since != 1;
	bool is_due;

	spin_lock(&camera->wanted_lock);
	is_due = camera->wanted & 1;
	camera->wanted >>= 1;
	if (is_due && !is_possible)
		camera->wanted |= 1;
	spin_unlock(&camera->wanted_lock);
	return is_due && is_possible;
}

/* What comes next of the stream. */
static const struct unit *next_unit(struct camera *camera)
{
	bool is_forced = take_wish(camera);
	const struct unit *unit;

	if (is_forced)
		atomic_inc(&camera->forced);
	if (is_forced || camera->since >= v4l2_ctrl_g_ctrl(camera->period)) {
		/* The first is one. */
		while (!camera->units[camera->position].is_keyframe)
			camera->position = (camera->position + 1) % camera->count;
	}
	unit = &camera->units[camera->position];
	camera->position = (camera->position + 1) % camera->count;
	camera->since = unit->is_keyframe ? 1 : camera->since + 1;
	return unit;
}

static void fill(struct camera *camera, struct buffer *buffer, const struct unit *unit)
{
	struct vb2_v4l2_buffer *vb = &buffer->vb;
	bool is_bare = unit->is_keyframe && camera->sequence && !v4l2_ctrl_g_ctrl(camera->repeat);
	size_t left_out = is_bare ? unit->headers : 0;

	vb->vb2_buf.timestamp = ktime_get_ns();
	memcpy(vb2_plane_vaddr(&vb->vb2_buf, 0), unit->data + left_out, unit->bytes - left_out);
	vb2_set_plane_payload(&vb->vb2_buf, 0, unit->bytes - left_out);
	vb->field = V4L2_FIELD_NONE;
	vb->sequence = camera->sequence;
	vb->flags &= ~(V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_PFRAME);
	vb->flags |= unit->is_keyframe ? V4L2_BUF_FLAG_KEYFRAME : V4L2_BUF_FLAG_PFRAME;
	vb2_buffer_done(&vb->vb2_buf, VB2_BUF_STATE_DONE);
	atomic_inc(&camera->delivered);
	if (unit->is_keyframe)
		atomic_inc(&camera->keyframes);
}

static int play(void *data)
{
	struct camera *camera = data;
	u64 interval = NSEC_PER_SEC / fps;
	ktime_t due = ktime_get();

	while (!kthread_should_stop()) {
		if (atomic_dec_if_positive(&camera->lose) >= 0) {
			next_unit(camera);
			camera->sequence++;
		} else {
			struct buffer *buffer = next_buffer(camera);

			if (buffer) {
				fill(camera, buffer, next_unit(camera));
				camera->sequence++;
			}
		}
		due = ktime_add_ns(due, interval);
		/* A machine that was away for longer than a picture does not get a heap of them. */
		if (ktime_before(ktime_add_ns(due, interval), ktime_get()))
			due = ktime_get();
		set_current_state(TASK_IDLE);
		if (!kthread_should_stop())
			schedule_hrtimeout(&due, HRTIMER_MODE_ABS);
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

static int queue_setup(struct vb2_queue *queue, unsigned int *buffers, unsigned int *planes, unsigned int sizes[],
		       struct device *devices[])
{
	if (*planes)
		return sizes[0] < buffer_size() ? -EINVAL : 0;
	*planes = 1;
	sizes[0] = buffer_size();
	return 0;
}

static int buf_prepare(struct vb2_buffer *vb)
{
	return vb2_plane_size(vb, 0) < buffer_size() ? -EINVAL : 0;
}

static void buf_queue(struct vb2_buffer *vb)
{
	struct camera *camera = vb2_get_drv_priv(vb->vb2_queue);
	struct buffer *buffer = container_of(to_vb2_v4l2_buffer(vb), struct buffer, vb);

	spin_lock(&camera->buffers_lock);
	list_add_tail(&buffer->list, &camera->buffers);
	spin_unlock(&camera->buffers_lock);
}

static int start_streaming(struct vb2_queue *queue, unsigned int count)
{
	struct camera *camera = vb2_get_drv_priv(queue);
	int error = load(camera);

	if (error)
		goto failed;
	camera->position = 0;
	camera->since = 0;
	camera->sequence = 0;
	spin_lock(&camera->wanted_lock);
	camera->wanted = 0;
	spin_unlock(&camera->wanted_lock);
	camera->player = kthread_run(play, camera, NAME);
	if (!IS_ERR(camera->player))
		return 0;
	error = PTR_ERR(camera->player);
	unload(camera);
failed:
	give_back(camera, VB2_BUF_STATE_QUEUED);
	return error;
}

static void stop_streaming(struct vb2_queue *queue)
{
	struct camera *camera = vb2_get_drv_priv(queue);

	kthread_stop(camera->player);
	give_back(camera, VB2_BUF_STATE_ERROR);
	unload(camera);
}

static const struct vb2_ops queue_ops = {
	.queue_setup = queue_setup,
	.buf_prepare = buf_prepare,
	.buf_queue = buf_queue,
	.start_streaming = start_streaming,
	.stop_streaming = stop_streaming,
	.wait_prepare = vb2_ops_wait_prepare,
	.wait_finish = vb2_ops_wait_finish,
};

static int set_control(struct v4l2_ctrl *control)
{
	struct camera *camera = container_of(control->handler, struct camera, controls);

	/* The player looks at the others when it needs them. */
	if (control->id == V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME) {
		atomic_inc(&camera->requests);
		if (obey) {
			spin_lock(&camera->wanted_lock);
			camera->wanted |= 1u << delay;
			spin_unlock(&camera->wanted_lock);
		}
	}
	return 0;
}

static const struct v4l2_ctrl_ops control_ops = {
	.s_ctrl = set_control,
};

static int querycap(struct file *file, void *handle, struct v4l2_capability *capability)
{
	strscpy(capability->driver, NAME, sizeof(capability->driver));
	strscpy(capability->card, "Camera that encodes", sizeof(capability->card));
	strscpy(capability->bus_info, "platform:" NAME, sizeof(capability->bus_info));
	return 0;
}

static int enum_format(struct file *file, void *handle, struct v4l2_fmtdesc *format)
{
	if (format->index)
		return -EINVAL;
	format->pixelformat = V4L2_PIX_FMT_H264;
	return 0;
}

/* There is one, whatever is asked for. */
static int format(struct file *file, void *handle, struct v4l2_format *format)
{
	format->fmt.pix = (struct v4l2_pix_format){
		.width = width,
		.height = height,
		.pixelformat = V4L2_PIX_FMT_H264,
		.field = V4L2_FIELD_NONE,
		.sizeimage = buffer_size(),
		.colorspace = V4L2_COLORSPACE_SMPTE170M,
	};
	return 0;
}

static int set_format(struct file *file, void *handle, struct v4l2_format *wanted)
{
	if (vb2_is_busy(&camera.queue))
		return -EBUSY;
	return format(file, handle, wanted);
}

static int enum_sizes(struct file *file, void *handle, struct v4l2_frmsizeenum *sizes)
{
	if (sizes->index || sizes->pixel_format != V4L2_PIX_FMT_H264)
		return -EINVAL;
	sizes->type = V4L2_FRMSIZE_TYPE_DISCRETE;
	sizes->discrete.width = width;
	sizes->discrete.height = height;
	return 0;
}

static int enum_intervals(struct file *file, void *handle, struct v4l2_frmivalenum *intervals)
{
	if (intervals->index || intervals->pixel_format != V4L2_PIX_FMT_H264 || intervals->width != width ||
	    intervals->height != height)
		return -EINVAL;
	intervals->type = V4L2_FRMIVAL_TYPE_DISCRETE;
	intervals->discrete.numerator = 1;
	intervals->discrete.denominator = fps;
	return 0;
}

static int parameters(struct file *file, void *handle, struct v4l2_streamparm *parameters)
{
	if (parameters->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
		return -EINVAL;
	parameters->parm.capture = (struct v4l2_captureparm){
		.capability = V4L2_CAP_TIMEPERFRAME,
		.timeperframe = { .numerator = 1, .denominator = fps },
		.readbuffers = 1,
	};
	return 0;
}

static int enum_input(struct file *file, void *handle, struct v4l2_input *input)
{
	if (input->index)
		return -EINVAL;
	strscpy(input->name, "Camera", sizeof(input->name));
	input->type = V4L2_INPUT_TYPE_CAMERA;
	return 0;
}

static int get_input(struct file *file, void *handle, unsigned int *input)
{
	*input = 0;
	return 0;
}

static int set_input(struct file *file, void *handle, unsigned int input)
{
	return input ? -EINVAL : 0;
}

static const struct v4l2_ioctl_ops ioctl_ops = {
	.vidioc_querycap = querycap,
	.vidioc_enum_fmt_vid_cap = enum_format,
	.vidioc_g_fmt_vid_cap = format,
	.vidioc_try_fmt_vid_cap = format,
	.vidioc_s_fmt_vid_cap = set_format,
	.vidioc_enum_framesizes = enum_sizes,
	.vidioc_enum_frameintervals = enum_intervals,
	.vidioc_g_parm = parameters,
	.vidioc_s_parm = parameters,
	.vidioc_enum_input = enum_input,
	.vidioc_g_input = get_input,
	.vidioc_s_input = set_input,
	.vidioc_reqbufs = vb2_ioctl_reqbufs,
	.vidioc_create_bufs = vb2_ioctl_create_bufs,
	.vidioc_prepare_buf = vb2_ioctl_prepare_buf,
	.vidioc_querybuf = vb2_ioctl_querybuf,
	.vidioc_qbuf = vb2_ioctl_qbuf,
	.vidioc_dqbuf = vb2_ioctl_dqbuf,
	.vidioc_expbuf = vb2_ioctl_expbuf,
	.vidioc_streamon = vb2_ioctl_streamon,
	.vidioc_streamoff = vb2_ioctl_streamoff,
	.vidioc_log_status = v4l2_ctrl_log_status,
	.vidioc_subscribe_event = v4l2_ctrl_subscribe_event,
	.vidioc_unsubscribe_event = v4l2_event_unsubscribe,
};

static const struct v4l2_file_operations file_ops = {
	.owner = THIS_MODULE,
	.open = v4l2_fh_open,
	.release = vb2_fop_release,
	.read = vb2_fop_read,
	.poll = vb2_fop_poll,
	.mmap = vb2_fop_mmap,
	.unlocked_ioctl = video_ioctl2,
};

static int make_controls(struct camera *camera)
{
	struct v4l2_ctrl_handler *controls = &camera->controls;

	v4l2_ctrl_handler_init(controls, 4);
	v4l2_ctrl_new_std(controls, &control_ops, V4L2_CID_MPEG_VIDEO_BITRATE, 25000, 25000000, 25000, 10000000);
	camera->period = v4l2_ctrl_new_std(controls, &control_ops, V4L2_CID_MPEG_VIDEO_H264_I_PERIOD, 2, 100000, 1, 60);
	camera->repeat = v4l2_ctrl_new_std(controls, &control_ops, V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 0, 1, 1, 0);
	if (button)
		v4l2_ctrl_new_std(controls, &control_ops, V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 0, 0, 0, 0);
	return controls->error;
}

static int make_queue(struct camera *camera)
{
	struct vb2_queue *queue = &camera->queue;

	queue->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	queue->io_modes = VB2_MMAP | VB2_USERPTR | VB2_DMABUF | VB2_READ;
	queue->timestamp_flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
	queue->drv_priv = camera;
	queue->buf_struct_size = sizeof(struct buffer);
	queue->ops = &queue_ops;
	queue->mem_ops = &vb2_vmalloc_memops;
	queue->min_queued_buffers = 1;
	queue->lock = &camera->lock;
	return vb2_queue_init(queue);
}

static void make_counters(struct camera *camera)
{
	camera->counters = debugfs_create_dir(NAME, NULL);
	debugfs_create_atomic_t("units", 0444, camera->counters, &camera->delivered);
	debugfs_create_atomic_t("keyframes", 0444, camera->counters, &camera->keyframes);
	debugfs_create_atomic_t("requests", 0444, camera->counters, &camera->requests);
	debugfs_create_atomic_t("forced", 0444, camera->counters, &camera->forced);
	debugfs_create_atomic_t("lose", 0644, camera->counters, &camera->lose);
}

static int __init start(void)
{
	struct video_device *node = &camera.node;
	int error;

	if (fps < 1 || fps > 120 || delay > 30 || width < 16 || width > 8192 || height < 16 || height > 8192) {
		pr_err(NAME ": fps is 1 to 120, delay 0 to 30, width and height are 16 to 8192\n");
		return -EINVAL;
	}
	mutex_init(&camera.lock);
	spin_lock_init(&camera.buffers_lock);
	spin_lock_init(&camera.wanted_lock);
	INIT_LIST_HEAD(&camera.buffers);
	strscpy(camera.device.name, NAME, sizeof(camera.device.name));
	error = v4l2_device_register(NULL, &camera.device);
	if (error)
		return error;
	error = make_controls(&camera);
	if (error)
		goto failed;
	error = make_queue(&camera);
	if (error)
		goto failed;
	strscpy(node->name, "Camera that encodes", sizeof(node->name));
	node->v4l2_dev = &camera.device;
	node->ctrl_handler = &camera.controls;
	node->queue = &camera.queue;
	node->lock = &camera.lock;
	node->fops = &file_ops;
	node->ioctl_ops = &ioctl_ops;
	node->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_READWRITE;
	/* It is static, and the module stays while somebody has it open. */
	node->release = video_device_release_empty;
	make_counters(&camera);
	error = video_register_device(node, VFL_TYPE_VIDEO, video_nr);
	if (!error)
		return 0;
	debugfs_remove(camera.counters);
failed:
	v4l2_ctrl_handler_free(&camera.controls);
	v4l2_device_unregister(&camera.device);
	return error;
}

static void __exit stop(void)
{
	vb2_video_unregister_device(&camera.node);
	debugfs_remove(camera.counters);
	v4l2_ctrl_handler_free(&camera.controls);
	v4l2_device_unregister(&camera.device);
}

module_init(start);
module_exit(stop);

MODULE_DESCRIPTION("A camera that encodes: plays a file of H.264");
MODULE_LICENSE("Dual MIT/GPL");
